"""Specs that start from what another spec's build has learned."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mcubuild.errors import BuildError
from rules.commands.baselines import variant
from rules.derived import derived
from rules.execute import action_key
from rules.graph import STAGES, read_specs, tasks
from rules.known import Files
from rules.resolve import resolve
from rules.stage import Resolved, Stage, pipeline
from rules.stages import space, start, supernet

SPEC = 'task = "image_classification"\ndataset = "digits"\nboard = "stm32f412"\n'
SOUND = 'task = "audio_classification"\ndataset = { kind = "audio_folder", path = "sounds" }\nboard = "stm32f412"\n'


def write(folder: Path, **specs: str) -> None:
    """Each of ``specs``: what it starts from, or, if that has several lines, its text."""
    folder.mkdir(exist_ok=True)
    for name, text in specs.items():
        (folder / f"{name}.toml").write_text(text if "\n" in text else f'start = "{text}"\n{SPEC}')


def resolved(folder: Path, name: str = "few") -> Resolved:
    (found,) = resolve(folder / f"{name}.toml", folder / "memory")
    return found


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolved:
    """few starts from base; what they have built is below the temporary folder."""
    monkeypatch.setattr("rules.stage.BUILD", tmp_path / "build")
    write(tmp_path, base=SPEC, few="base")
    return resolved(tmp_path)


def stage_of(few: Resolved, name: str) -> Stage:
    (found,) = (stage for stage in pipeline(STAGES, few) if stage.name == name)
    return found


@pytest.mark.parametrize("name", ["base", "base.toml", "../{}/base", "{}/base.toml"])
def test_a_start_is_a_name_or_a_path(tmp_path: Path, name: str) -> None:
    name = name.format(tmp_path.name if name.startswith("..") else tmp_path)
    write(tmp_path, base=SPEC, few=name)
    assert resolved(tmp_path)["start"]["spec"]["name"] == "base"
    assert resolved(tmp_path)["start"] == resolved(tmp_path, "base")


REFUSALS: Mapping[str, tuple[dict[str, str], str]] = {
    "missing": (
        {"few": "bse", "base": SPEC},
        r"few.toml: start = 'bse': there is no file '.*/bse.toml'; write the name .* Beside it are: base\.",
    ),
    "long": ({"few": "a" * 400}, r"few.toml: start = 'a.*a': there is no file .* Beside it are: none\."),
    "itself": ({"few": "few"}, r"few.toml: start = 'few': .* in a circle, few -> few; remove one\."),
    "circle": (
        {"few": "one", "one": "two", "two": "one"},
        r"few.toml: start: .*one.toml: start: .*two.toml: start = 'one': .* in a circle, one -> two -> one;",
    ),
    "not valid": (
        {"few": "base", "base": SPEC.replace("stm32f412", "stm32")},
        r"few.toml: start: .*base.toml: board: .*stm32",
    ),
    "published network": (
        {"few": "base", "base": f'arch = "resnet8"\n{SPEC}'},
        r'few.toml: start = \'base\': .*base.toml has arch = "resnet8", so it trains no super network',
    ),
    "network of the user's": (
        {"few": "base", "base": 'board = "stm32f412"\n[model]\nfile = "net.tflite"\n'},
        r"few.toml: start = 'base': .*base.toml has \[model\], so it trains no super network",
    ),
    "task": (
        {"few": "base", "base": SOUND},
        r'has task = "audio_classification", this spec task = "image_classification"; name a spec with the same task',
    ),
    "start of a published network": (
        {"few": f'arch = "resnet8"\nstart = "base"\n{SPEC}', "base": SPEC},
        r'few.toml.*: found start beside arch = "resnet8"',
    ),
    "start of the user's network": (
        {"few": 'start = "base"\nboard = "stm32f412"\n[model]\nfile = "net.tflite"\n', "base": SPEC},
        r"few.toml.*: found \[model\] beside start",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_nothing_can_start_from_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    specs, message = REFUSALS[name]
    write(tmp_path, **specs)
    with pytest.raises(BuildError, match=message) as refusal:
        resolved(tmp_path)
    assert len(str(refusal.value)) < 500 and "\n" not in str(refusal.value)


def test_two_specs_of_one_name_would_collide(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", few=SPEC, base=SPEC)
    write(tmp_path, few="other/few", base=SPEC, third="other/base")
    with pytest.raises(BuildError, match=r"have the same name; results would collide: rename one\."):
        resolved(tmp_path)
    files = [tmp_path / "base.toml", tmp_path / "third.toml"]
    with pytest.raises(BuildError, match=r"third.toml: start: .*have the same name; results would collide"):
        read_specs(files, {"third"})
    valid, broken = read_specs(files, set())
    assert [one["spec"]["name"] for one in valid] == ["base"] and set(broken) == {"third"}


def test_only_two_stages_read_what_another_spec_has_made(few: Resolved) -> None:
    reading = {stage.name for stage in pipeline(STAGES, few) if any(name.startswith("start/") for name in stage.inputs)}
    assert reading == {"space", "start"}
    assert "start.safetensors" in stage_of(few, "supernet").inputs
    alone = pipeline(STAGES, few["start"])
    assert not {"start/space.json", "start.safetensors"} & {name for stage in alone for name in stage.inputs}
    assert "start" not in {stage.name for stage in alone}


def _tasks(*specs: Resolved) -> dict[str, dict[str, Any]]:
    return {f"{task['basename']}:{task['name']}": task for task in tasks(specs, {}, set()) if task["name"]}


def test_what_it_takes_of_the_other_spec_is_built_first(few: Resolved, tmp_path: Path) -> None:
    found = _tasks(few)
    assert {name for name in found if name.endswith(":base")} == {
        "dataset:base",
        "outline:base",
        "space:base",
        "race:base",
        "supernet:base",
    }
    other = tmp_path / "build" / "base"
    assert str(other / "supernet.safetensors") in found["start:few"]["file_dep"]
    assert {str(other / "space.json")} == {
        name for name in found["space:few"]["file_dep"] if name.startswith(str(other))
    }


def test_a_spec_that_is_built_itself_has_all_its_stages_once(few: Resolved) -> None:
    both = _tasks(few["start"], few)
    assert {name for name in both if name.endswith(":base")} >= {"supernet:base", "search:base", "build:base"}
    listed = [f"{task['basename']}:{task['name']}" for task in tasks([few, few["start"]], {}, set())]
    assert len(listed) == len(set(listed))


def test_specs_may_start_from_one_another_in_a_row(tmp_path: Path) -> None:
    write(tmp_path, base=SPEC, middle="base", few="middle")
    found = _tasks(resolved(tmp_path))
    assert {name for name in found if name.endswith(":base")} == {
        "dataset:base",
        "outline:base",
        "space:base",
        "race:base",
        "supernet:base",
    }
    assert {"start:middle", "supernet:middle", "start:few"} <= set(found) and "search:middle" not in found


def test_other_weights_are_another_key_of_what_begins_with_them_alone(few: Resolved, tmp_path: Path) -> None:
    build = tmp_path / "build"
    stages = [stage_of(few, name) for name in ("space", "start", "supernet")]
    for stage in stages:
        for path in stage.read(few, build / "few").values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def keys() -> list[str]:
        return [action_key(stage, few, build / "few", Files(None)) for stage in stages]

    before = keys()
    assert keys() == before
    (build / "base" / "supernet.safetensors").write_text("others")
    after = keys()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    (build / "few" / "start.safetensors").write_text("others")  # what start makes of them
    assert keys()[2] != after[2]


def test_the_other_specs_name_is_no_part_of_a_key(few: Resolved) -> None:
    renamed = {**few, "spec": {**few["spec"], "start": "another"}}
    for stage in (space.STAGE, start.STAGE, supernet.STAGE):
        assert stage.selected(few) == stage.selected(renamed)


def test_published_networks_beside_it_start_from_nothing(few: Resolved) -> None:
    other = derived(few, "few-resnet8", variant(few, "resnet8"))
    assert other["spec"]["start"] is None
    assert not [
        name for stage in pipeline(STAGES, other) for name in stage.inputs if name.startswith(("start/", "start."))
    ]
    assert derived(few, "few-searched", variant(few, None)) is few
