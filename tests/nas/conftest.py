import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Networks this small lose time when operations are shared among cores."""
    torch.set_num_threads(1)
