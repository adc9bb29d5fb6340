"""What counts of a Python file: what it does, not how that is written."""

import sqlite3
from pathlib import Path

import pytest

from rules.code import read_code
from rules.known import Files

SOURCE = '''"""A module."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Point:
    """A place."""

    x: int = 3
    """Across."""

    def moved(self, by: int) -> int:
        """Further."""
        import numpy as np  # late

        return np.add(self.x, by)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another text."""'),
        ('"""A place."""\n', '"""A place.\n\n    In the plane.\n    """\n'),
        ('    """Across."""\n', ""),
        ('        """Further."""\n', ""),
        ("  # late", ""),
        ("import torch", "import torch, scipy"),
        ("return np.add(self.x, by)", "return np.add(\n            self.x,\n            by,\n        )"),
        ("x: int = 3", "x: int = 0x3"),
    ],
)
def test_what_changes_nothing(old: str, new: str) -> None:
    assert old in SOURCE
    assert read_code(SOURCE.replace(old, new).encode()) == read_code(SOURCE.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x: int = 3", "x: int = 4"),
        ("x: int = 3", "x: float = 3"),
        ("import numpy as np", "import numpy as npy"),
        ("self.x, by", "by, self.x"),
        ("def moved", "def shifted"),
        ("class Point:", "@final\nclass Point:"),
        ("if TYPE_CHECKING", "if not TYPE_CHECKING"),
    ],
)
def test_what_changes_something(old: str, new: str) -> None:
    assert old in SOURCE
    assert read_code(SOURCE.replace(old, new).encode()).meaning != read_code(SOURCE.encode()).meaning


def test_a_function_of_a_docstring_alone_is_read() -> None:
    assert read_code(b'def f():\n    """Nothing."""\n').meaning == read_code(b"def f():\n    '''None'''\n").meaning


def test_the_other_branch_of_what_type_checkers_read_is_executed() -> None:
    code = read_code(b"if TYPE_CHECKING:\n    import a\nelif x:\n    import b\nelse:\n    import c\n")
    assert code.imports == {"b", "c"}


def test_imports() -> None:
    text = "import a.b, c as d\nfrom e import (\n    f,  # why\n    g as h,\n)\nfrom . import i\nfrom ..j import k\n"
    names = {"a.b", "c", "e", "e.f", "e.g", ".", ".i", "..j", "..j.k"}
    assert read_code(text.encode()).imports == names
    assert read_code(b"text = 'import a'\n").imports == set()


def test_a_file_that_cannot_be_parsed_means_its_bytes() -> None:
    assert read_code(b"def :").meaning != read_code(b"def  :").meaning


def test_what_was_read_is_kept_and_damage_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, database = tmp_path / "a.py", tmp_path / "files.db"
    path.write_text("import numpy\n")
    found = Files(database).code(path)
    with monkeypatch.context() as patched:
        patched.setattr("rules.known.read_code", lambda source: pytest.fail("parsed again"))
        assert Files(database).code(path) == found
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE code SET text = replace(text, 'numpy', 'numpi')")
    assert Files(database).code(path) == found
