"""Optional tools: a test that needs one says so, and is skipped where it is missing."""

import importlib.util
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a program or Python package that this machine does not have."""
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            if shutil.which(tool) is None and importlib.util.find_spec(tool) is None:
                pytest.skip(f"{tool} is not installed (optional)")
