"""The words behind ``mcubuild``, and the folder of a new project."""

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mcubuild import ROOT
from mcubuild.errors import BuildError
from mcubuild.spec.spec import read_spec
from rules.commands.new import DEFAULTS, Answers, create
from rules.front import COMMANDS, translated

ANSWERS = Answers(**DEFAULTS)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("build", "build"),
        ("build quickstart specs/kws_*.toml -n 2", "-n 2 build spec=quickstart,specs/kws_*.toml"),
        ("curve quickstart sizes=20,all", "curve spec=quickstart sizes=20,all"),
        ("diff a b", "diff a=a b=b"),
        ("plan a set budget.latency=9ms bits=4", "plan spec=a set=budget.latency=9ms,bits=4"),
        ("gc size=1GB", "gc size=1GB"),
        ("list --all", "list --all"),
        ("search:quickstart", "search:quickstart"),
    ],
)
def test_commands_are_doits_tasks(words: str, meant: str) -> None:
    assert translated(words.split()) == meant.split()


def test_the_nearest_command_is_told() -> None:
    with pytest.raises(BuildError, match="did you mean build"):
        translated(["biuld"])
    with pytest.raises(BuildError, match="takes no spec"):
        translated(["gc", "quickstart"])


def test_every_command_is_a_task_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "doit", "list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    tasks = {line.split()[0] for line in listed.splitlines()}
    for name, (does, example) in COMMANDS.items():
        assert name in tasks | {"new", "completion", "list", "info", "clean", "forget"}
        with pytest.raises(SystemExit) as ended:
            translated([name, "--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert ended.value.code == 0
        assert does in told
        assert f"mcubuild {example}" in told


def test_a_new_project_is_whole(tmp_path: Path) -> None:
    names = create(tmp_path / "mine", ANSWERS, "first")
    assert sorted(
        path.relative_to(tmp_path / "mine").as_posix() for path in (tmp_path / "mine").rglob("*.*")
    ) == sorted({*names, ".github"})
    spec, board = read_spec(tmp_path / "mine" / "specs" / "first.toml")
    assert (spec.task, board.name) == ("image_classification", "stm32f412")
    assert (spec.bits.weights, spec.budget.latency) == (8, 0.005)
    for name in (".github/actions/firmware/action.yml", ".gitlab-ci.yml"):
        workflow = yaml.safe_load((tmp_path / "mine" / name).read_text())
        assert "mcubuild build" in str(workflow)


def test_answers_become_the_spec(tmp_path: Path) -> None:
    answers = Answers("audio_classification", 'data/my "words"', "stm32f746", "sram=100kB, energy=2mJ", "4")
    create(tmp_path, answers, "words")
    found = tomllib.loads((tmp_path / "specs" / "words.toml").read_text())
    assert found == {
        "task": "audio_classification",
        "dataset": {"kind": "audio_folder", "path": '../data/my "words"'},
        "board": "stm32f746",
        "bits": 4,
        "budget": {"sram": "100kB", "energy": "2mJ"},
    }


@pytest.mark.parametrize(
    ("task", "file", "kind"),
    [
        ("object_detection", "labels/1.txt", "yolo_folder"),
        ("object_detection", "Annotations/1.xml", "voc_folder"),
        ("object_detection", "train/instances.json", "coco_boxes"),
        ("object_detection", None, "yolo_folder"),
        ("anomaly_detection", None, "anomaly_folder"),
    ],
)
def test_a_folder_is_what_its_files_and_the_task_say(task: str, file: str | None, kind: str, tmp_path: Path) -> None:
    if file is not None:
        (tmp_path / "data" / file).parent.mkdir(parents=True)
        (tmp_path / "data" / file).touch()
    create(tmp_path, Answers(task, "data", "stm32f746", "", "8"), "first")
    spec, _ = read_spec(tmp_path / "specs" / "first.toml")
    assert (spec.task, spec.dataset.kind) == (task, kind)  # type: ignore[union-attr]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    with pytest.raises(BuildError, match="nothing is overwritten"):
        create(tmp_path, ANSWERS, "first")
    assert [path.name for path in tmp_path.rglob("*")] == [".gitignore"]


@pytest.mark.parametrize(
    ("key", "answer", "told"),
    [
        ("board", "stm32f411", "did you mean 'stm32f412'"),
        ("bits", "eight", "bits"),
        ("limits", "latency", "write such as"),
        ("limits", "latancy=5ms", "did you mean 'latency'"),
        ("task", "audio_classification", "change the task or the data set"),
    ],
)
def test_a_wrong_answer_leaves_nothing(key: str, answer: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=told):
        create(tmp_path / "mine", replace(ANSWERS, **{key: answer}), "first")
    assert not (tmp_path / "mine").exists()


def test_the_name_of_a_spec_leads_nowhere_else(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="letters, digits"):
        create(tmp_path / "mine", ANSWERS, "../elsewhere")
    assert not [*tmp_path.iterdir()]
