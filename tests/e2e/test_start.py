"""A spec that starts from another one: what is built of both, and when again."""

import json
import shutil

import pytest

from mcubuild.store import digest_file
from tests.e2e.checkout import IMAGES, Checkout, draw_images

FIRST = {"dataset", "margin", "space", "race", "supernet"}
"""Stages that it takes of the other spec."""


@pytest.mark.slow
def test_the_other_spec_is_built_first_and_its_changes_reach_what_depends_on_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("start")
    checkout = Checkout(folder / "checkout", folder / "store")
    for name in ("photos", "few"):
        draw_images(checkout.path / name)
    shutil.rmtree(checkout.path / "few" / "leaning")
    checkout.write_spec(IMAGES, "base")
    checkout.write_spec(f'start = "base"\n{IMAGES.replace("../photos", "../few")}', "few")
    build = checkout.path / "build"

    def few() -> dict[str, set[str]]:
        run = checkout.doit("build", "spec=specs/few.toml")
        assert run.code == 0, run.output
        done = run.stages
        return {
            f"{spec} {what}": {stage for (of, stage), did in done.items() if (of, did) == (spec, what)}
            for spec in ("base", "few")
            for what in ("built", "up to date", "from store")
        }

    first = few()
    assert first["base built"] | first["base from store"] == FIRST
    assert {"start", "supernet", "report"} <= first["few built"]
    report = json.loads((build / "few" / "report.json").read_text())["start"]
    assert report["spec"] == "base" and report["carried"] == report["weights"]  # both classes are of the base's three
    assert report["classes"] == ["lying", "standing"]
    assert not (build / "base" / "report.json").exists()

    again = few()
    assert again["base up to date"] == FIRST and not again["few built"] | again["few from store"]

    weights = digest_file(build / "few" / "supernet.safetensors")
    checkout.edit("specs/base.toml", "[supernet]\n", "[supernet]\nsubnets = 2\n")
    changed = few()
    assert changed["base built"] == {"supernet"}
    assert {"start", "supernet", "search"} <= changed["few built"]
    assert {"dataset", "margin", "space", "race"} <= changed["few up to date"]
    assert digest_file(build / "few" / "supernet.safetensors") != weights

    checkout.edit("specs/base.toml", "subnets = 2\n", "# as before\n")
    back = few()
    assert back["base from store"] == {"supernet"} and not back["few built"]
    assert digest_file(build / "few" / "supernet.safetensors") == weights

    checkout.edit("specs/base.toml", "[finetune]\nepochs = 1", "[finetune]\nepochs = 3")
    unconcerned = few()
    assert not unconcerned["base built"] | unconcerned["few built"] | unconcerned["few from store"]

    assert checkout.doit("clean", "spec=specs/few.toml").code == 0
    assert not list(build.glob("*/*.safetensors"))
    restored = few()
    assert not restored["base built"] | restored["few built"]
