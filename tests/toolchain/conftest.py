import pytest

from mcubuild.toolchain.target import ToolchainName
from tests.toolchains import TOOLCHAINS


@pytest.fixture(params=TOOLCHAINS)
def toolchain(request: pytest.FixtureRequest) -> ToolchainName:
    name: ToolchainName = request.param
    return name
