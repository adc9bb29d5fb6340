"""Which of the networks that the search evaluated is built."""

from pathlib import Path

from mcubuild.artifacts import read_artifact
from mcubuild.artifacts.searched import Searched
from mcubuild.errors import BuildError
from mcubuild.nas.space.family import Family
from mcubuild.nas.space.files import write_json


def choose(family: Family, search: Path, key: str | None, out: Path) -> None:
    """Write arch.json: the network with this ``key`` among those in search.json; None: the one that the search chose.

    Raises:
        BuildError: the search did not evaluate such a network.
    """
    found = read_artifact(search, Searched)
    if key is None:
        key = found.chosen.key
    elif key not in {one.key for evaluations in found.evaluations.values() for one in evaluations}:
        raise BuildError(
            f'search.choose: found "{key}", which is not among the networks that the search evaluated; copy a key from '
            f'the report or search.json, such as "{found.chosen.key}", or leave choose out.'
        )
    write_json(family.parse(key).to_json(), out / "arch.json")
