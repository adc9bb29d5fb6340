"""What a data set kind of the user's is built from."""

from importlib.metadata import version

import pytest

from rules import own_code


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("numpy", version("numpy")),
        ("PIL", f"pillow {version('pillow')}"),  # imported by another name than it is installed by
        ("no_such_package", "missing"),
    ],
)
def test_versions_of_packages_are_found_by_what_is_imported(name: str, found: str) -> None:
    assert own_code._version(name) == found
