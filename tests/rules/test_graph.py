"""Which files ``spec=...`` names."""

from pathlib import Path

import pytest

from mcubuild.errors import BuildError
from rules.graph import spec_files


def test_a_name_is_a_file_before_it_is_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doit.loader.initial_workdir", str(tmp_path))
    for name in ("a[b].toml", "ab.toml", "c.toml"):
        (tmp_path / name).touch()
    assert spec_files("a[b].toml") == [tmp_path / "a[b].toml"]
    assert spec_files("a[b]*,c.toml") == [tmp_path / "ab.toml", tmp_path / "c.toml"]
    with pytest.raises(BuildError, match=r"spec=d\[b\].toml: there is no such file"):
        spec_files("d[b].toml")
