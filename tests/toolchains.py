"""The compilers of tests: the product's own always, GCC beside it where it is installed."""

import pytest

needs_arm_gcc = pytest.mark.needs("arm-none-eabi-gcc")
needs_host_gcc = pytest.mark.needs("gcc")
TOOLCHAINS = ("zig", pytest.param("gcc", marks=needs_arm_gcc))
"""For boards."""
