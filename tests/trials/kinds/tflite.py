"""Networks in .tflite files with damaged bytes: refused by name, or imported and turned into C."""

from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from mcubuild.board import read_board
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.importers.tflite import import_tflite
from mcubuild.spec.engine import EngineSettings
from tests.importers.mutations import mutations
from tests.importers.networks import random_network
from tests.trials.trial import WrongError

COUNT = 3000
PATIENCE = 20.0
TARGET = Target.of(read_board("stm32f746"), EngineSettings())


@cache
def network(seed: int) -> bytes:
    return random_network(seed, 6).finish()


def trial(rng: Random, folder: Path) -> None:
    """Import a damaged network and generate its C."""
    path = folder / "broken.tflite"
    (data,) = mutations(network(rng.randrange(20)), np.random.default_rng(rng.getrandbits(32)), 1)
    path.write_bytes(data)
    try:
        graph = import_tflite(path).graph
    except BuildError as error:
        if str(path) not in str(error):
            raise WrongError(f"the message does not name the file: {error}") from None
        raise
    generate(graph, plan(graph, TARGET), TARGET, folder, stack=2048)
