import shutil

import pytest

from mcubuild.toolchain.target import ToolchainName

TOOLCHAINS: list[ToolchainName] = ["zig", "gcc"]


@pytest.fixture(params=TOOLCHAINS)
def toolchain(request: pytest.FixtureRequest) -> ToolchainName:
    name: ToolchainName = request.param
    if name == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    return name
