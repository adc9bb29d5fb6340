"""What a build would do is foretold, with the reasons; and the store is kept in order."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.checkout import SPEC, Checkout

pytestmark = pytest.mark.slow

_STATE = re.compile(r"^net +(\w+) +(up to date|to build|from store|perhaps)\b", re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("plan")
    made = Checkout(folder / "checkout", folder / "store")
    made.write_spec()
    foretold = made.doit("plan", "spec=net")
    assert "net             dataset     to build" in foretold.output
    assert "none of them ever ran here" in foretold.output
    assert not (made.path / "build" / "net").exists()
    assert made.doit("search:net").code == 0
    yield made


def _states(checkout: Checkout) -> dict[str, str]:
    return dict(_STATE.findall(checkout.doit("plan", "spec=net").output))


def test_what_is_foretold_is_done(checkout: Checkout) -> None:
    foretold = _states(checkout)
    assert foretold["search"] == "up to date"
    assert foretold["choose"] == "to build"
    assert foretold["finetune"] == "perhaps"
    assert checkout.doit("choose:net").did("built") == {"choose"}


def test_a_change_of_a_field_is_named(checkout: Checkout) -> None:
    checkout.write_spec(SPEC.replace('"200ms"', '"100ms"'))
    told = checkout.doit("why", "spec=net").output
    assert "specs/net.toml: budget.latency: 0.2 -> 0.1" in told
    foretold = {stage for stage, state in _states(checkout).items() if state == "to build"}
    run = checkout.doit("choose:net")
    assert foretold <= run.did("built") | {"data", "finetune"}
    checkout.write_spec()
    assert checkout.doit("choose:net").code == 0
    assert _states(checkout)["search"] == "up to date"


def test_a_change_of_a_function_is_named(checkout: Checkout) -> None:
    file, old, new = "mcubuild/nas/search/evolution.py", "def ", "# why\ndef "
    text = (checkout.path / file).read_text()
    checkout.edit(file, old, new)
    assert _states(checkout)["search"] == "up to date", "a remark changes nothing"
    (checkout.path / file).write_text(text + "\n\ndef added() -> None:\n    pass\n")
    assert f"{file}: changed: added" in checkout.doit("why", "spec=net").output
    (checkout.path / file).write_text(text)
    assert _states(checkout)["search"] == "up to date"


def test_an_artifact_that_somebody_changed_is_named(checkout: Checkout) -> None:
    artifact = checkout.path / "build" / "net" / "search.json"
    artifact.write_text("{}")
    assert _states(checkout)["search"] == "from store"
    assert "build/net/search.json: it is not what the stage made" in checkout.doit("why", "spec=net").output
    assert checkout.doit("search:net").did("from store") == {"search"}


def test_what_specs_need_is_never_collected(checkout: Checkout) -> None:
    entries = sorted((checkout.store / "artifacts").glob("*/*"))
    told = checkout.doit("gc", "size=0kB")
    assert told.code == 0
    assert "more than size=0kB" in told.output
    left = sorted((checkout.store / "artifacts").glob("*/*"))
    assert 0 < len(left) < len(entries)  # what the change of the limit had made is gone
    before = _states(checkout)
    _empty(checkout.path / "build" / "net")
    assert {stage for stage, state in _states(checkout).items() if state == "from store"} >= {
        stage for stage, state in before.items() if state == "up to date"
    }
    assert "search" in checkout.doit("search:net").did("from store")


def test_damage_is_found_and_made_again(checkout: Checkout) -> None:
    damaged = next((checkout.store / "artifacts").glob("*/*/files/search.json"))
    damaged.write_text("{}")
    told = checkout.doit("verify").output
    assert "1 damaged ones removed" in told
    assert "0 damaged ones removed" in checkout.doit("verify").output
    (checkout.path / "build" / "net" / "search.json").unlink()
    assert "search" in checkout.doit("search:net").did("built")


def test_a_size_that_is_none_is_refused(checkout: Checkout) -> None:
    run = checkout.doit("gc", "size=many")
    assert run.code == 1
    assert "such as size=5GB" in run.output


def _empty(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
