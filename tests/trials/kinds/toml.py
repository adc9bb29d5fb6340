"""Specs and boards with absurd values, damaged bytes, other encodings; and changes that must change nothing."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from mcubuild import ROOT
from mcubuild.board import Board
from mcubuild.engine.target import Target
from mcubuild.errors import BuildError
from mcubuild.measure.memory import memory_system
from mcubuild.settings import read_toml
from mcubuild.spec.engine import EngineSettings
from mcubuild.spec.spec import Spec, read_spec
from mcubuild.toolchain.target import target_flags
from rules.graph import STAGES
from rules.stage import pipeline
from tests.trials.trial import WrongError

COUNT = 2000
PATIENCE = 5.0

SPEC = """
task = "audio_classification"
board = "stm32f746"
bits = 4
seed = 3

[dataset]
kind = "audio_folder"
path = "../sounds"
pattern = "{class}_{speaker}_{n}.wav"
group = "speaker"
test = "*_[0-4].wav"
sample_rate = "16kHz"
duration = "1s"

[budget]
sram = "128kB"
flash = "512kB"
latency = "50ms"
energy = "5mJ"

[space]
samples = 100
widths = [0.2, 0.5]
resolutions = [32, 48]

[supernet]
epochs = 3
learning_rate = 0.1
ema = 0.99

[search]
population = 24
generations = 6
parents = 6
mutation = 0.1

[quantize]
tolerance = 0.01

[engine]
input = "stream"

[firmware]
stack = 4096
optimize = "O3"

[measure]
samples = 8

[report]
title = "Sounds"
mistakes = 3
"""
MODEL = """
board = "stm32f412"
dataset = "digits"

[model]
file = "../nets/net.tflite"
samples = 4
"""
ABSURD = (
    "9" * 400, "-" + "9" * 5000, "0", "-1", "1e400", "-1e308", "1e-320", "inf", "-inf", "nan", "true", "false", '""',
    f'"{"9" * 400}kB"', '"-5kB"', '"0ms"', '"1e5 kB"', '"8192MB"', f'"0.{"0" * 400}1ms"', '"5fps"', '"0.1Hz"',
    '"a\\u0000b"', f'"{"x" * 5000}"', f'"{"../" * 2000}"', '"\\u202e\\t\\n"', "2020-01-01", "[]", "{}", "[[]]",
    "[" * 300 + "]" * 300, "[" * 3000 + "]" * 3000, "{a=" * 200 + "1" + "}" * 200, "[1, true, \"x\"]", "0x1_0000_0000",
    "8589934592", "0.5", "[0.2, nan]", "[true]", "{ kind = \"digits\", kind = \"digits\" }", "'''\n'''", "\"\\ud800\"",
)  # fmt: skip
"""Values that any key may be given."""


def sources() -> list[tuple[str, str]]:
    """Texts to start from, and whether each is a "spec" or a "board"."""
    specs = [SPEC, MODEL, *(path.read_text() for path in sorted((ROOT / "specs").glob("*.toml")))]
    boards = [path.read_text() for path in sorted((ROOT / "boards").glob("*.toml"))]
    return [*(("spec", text) for text in specs), *(("board", text) for text in boards)]


def absurd_value(rng: Random, text: str) -> str:
    key = rng.choice(list(re.finditer(r"^(\s*[\w.]+\s*=).*$", text, re.MULTILINE)))
    return f"{text[: key.end(1)]} {rng.choice(ABSURD)}{text[key.end() :]}"


def absurd_line(rng: Random, text: str) -> str:
    lines = text.split("\n")
    deep = ".".join("a" * rng.choice((30, 3000)))
    odd = (
        f"{deep} = 1",
        f"[{deep}]",
        "[[memory]]",
        "[budget]",
        "x" * 100_000,
        "\x00",
        "]",
        "= 3",
        '"" = 1',
        "name = 3",
    )
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(odd))
    return "\n".join(lines)


def other_lines(rng: Random, text: str) -> str:
    """A line less, one twice, or two in each other's place."""
    lines = text.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.randrange(3)
    if what == 0:
        del lines[one]
    elif what == 1:
        lines.insert(other, lines[one])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def typo(rng: Random, text: str) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice("aZ_9.\"'[]{}=,#\n\\-é\u2028") + text[at + rng.randrange(2) :]


def damaged_bytes(rng: Random, data: bytes) -> bytes:
    at, size = rng.randrange(len(data)), rng.randrange(1, 40)
    what = rng.randrange(4)
    if what == 0:
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if what == 1:
        return data[:at]
    if what == 2:
        return data[:at] + rng.randbytes(size) + data[at + size :]
    return data[:at] + data[at + size :]


def other_encoding(rng: Random, data: bytes) -> bytes:
    text = data.decode() + "# \xe9\n"
    return text.encode(rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp500")), "replace")


def in_other_words(rng: Random, data: bytes) -> bytes:
    """The same content: a byte order mark, other line ends, comments, blanks."""
    what = rng.randrange(4)
    if what == 0:
        return b"\xef\xbb\xbf" + data.removeprefix(b"\xef\xbb\xbf")
    if what == 1:
        return data.replace(b"\n", b"\r\n")
    if what == 2:
        return data.replace(b"\n", b"\n\n  \t\n")
    return data.replace(b"\n", " # \N{SNOWMAN} = 3 [x]\n".encode())


def of_text(change: Callable[[Random, str], str]) -> Callable[[Random, bytes], bytes]:
    return lambda rng, data: change(rng, data.decode()).encode()


CHANGES = (
    *map(of_text, (absurd_value, absurd_value, absurd_line, other_lines, typo)),
    damaged_bytes,
    other_encoding,
    in_other_words,
)


def trial(rng: Random, folder: Path) -> None:
    """Break a spec or a board, read it, and use what was accepted."""
    kind, text = rng.choice(sources())
    path = folder / "broken.toml"
    path.write_text(text, encoding="utf-8")
    use = use_spec if kind == "spec" else use_board
    before = use(path)
    data, same = text.encode(), True
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = rng.choice(CHANGES)
        same = same and change is in_other_words
        with suppress(UnicodeError, IndexError, ValueError):  # after another change, nothing is left to be changed so
            data = change(rng, data)
    path.write_bytes(data)
    try:
        after = use(path)
    except BuildError as error:
        if same:
            raise WrongError(f"refused what says the same: {error}") from None
        if "broken" not in str(error):
            raise WrongError(f"the message does not name the file: {error}") from None
        raise
    if same and after != before:
        raise WrongError("what says the same is understood otherwise")


def use_spec(path: Path) -> object:
    spec, board = read_spec(path)
    written = {"spec": spec.model_dump(mode="json"), "board": board.model_dump(mode="json"), "folder": str(path.parent)}
    if Spec.model_validate(written["spec"]) != spec:
        raise WrongError(f"{spec} is another one once it was written")
    for stage in pipeline(STAGES, written):
        stage.selected(written)
        for source in stage.sources(written).values():
            source.exists()
    return written


def use_board(path: Path) -> object:
    board = read_toml(path, Board, {"name": path.stem})
    if Board.model_validate(board.model_dump(mode="json")) != board:
        raise WrongError(f"{board} is another one once it was written")
    if not 0 < board.sram_bytes <= 2**32 or not 0 < board.flash_bytes <= 2**32 or board.clock < 1:
        raise WrongError(f"{board} has no memory or no clock")
    Target.of(board, EngineSettings())
    target_flags("zig", board)
    target_flags("gcc", board)
    memory_system(board, caches_on=True)
    return board.model_dump(mode="json")
