"""Specs and boards: what is accepted, and what a user is told otherwise."""

import json
from pathlib import Path

import pytest

from mcubuild import ROOT
from mcubuild.board import board_files, board_in, read_board
from mcubuild.errors import BuildError
from mcubuild.report.schema import report_schema
from mcubuild.spec.datasets.audio_folder import AudioFolderSettings
from mcubuild.spec.model import ModelSettings
from mcubuild.spec.reference import board_page, spec_page
from mcubuild.spec.schema import board_schema, spec_schema
from mcubuild.spec.spec import Spec, read_spec
from mcubuild.units import parse_energy, parse_frequency, parse_share, parse_size, parse_time

SPEC = """
task = "image_classification"
dataset = "digits"
board = "stm32f412"
bits = 8

[budget]
sram = "128kB"
flash = "512kB"
latency = "50ms"
"""


def read(tmp_path: Path, text: str) -> Spec:
    path = tmp_path / "net.toml"
    path.write_text(text)
    return read_spec(path)[0]


@pytest.mark.parametrize(
    ("text", "size"), [("256kB", 262144), ("1MB", 1048576), ("512B", 512), ("1.5 kB", 1536), (4096, 4096)]
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("5fps", 0.2), ("0.5 s", 0.5), ("250us", 0.00025), (1e-5, 1e-5), ("10min", 600), ("1.5h", 5400)],
)
def test_times(text: object, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "hertz"), [("216MHz", 216_000_000), ("32.768kHz", 32768)])
def test_frequencies(text: str, hertz: int) -> None:
    assert parse_frequency(text) == hertz


@pytest.mark.parametrize("text", ["256", "256kb", "kB", "-1kB", "0kB", "0.3B", "1GB", "1e3kB", None, True, 0])
def test_not_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="found"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "share"), [("90%", 0.9), ("90 %", 0.9), ("97.5%", 0.975), ("0.9", 0.9), (0.9, 0.9), (1.0, 1), ("100%", 1)]
)
def test_shares(text: object, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0%", 0.0, "101%", 1.5, 90, 1, True, "ninety", "-5%", "", None, float("nan"), "90%%"])
def test_not_shares(text: object) -> None:
    """A whole number may be meant in percent."""
    with pytest.raises(ValueError, match="found"):
        parse_share(text)


@pytest.mark.parametrize(("text", "joules"), [("5mJ", 5e-3), ("2 J", 2.0), ("750uJ", 7.5e-4), (0.5, 0.5)])
def test_energies(text: object, joules: float) -> None:
    assert parse_energy(text) == pytest.approx(joules)


@pytest.mark.parametrize("text", ["5", "5ms", "0mJ", None])
def test_not_energies(text: object) -> None:
    with pytest.raises(ValueError, match="found"):
        parse_energy(text)


@pytest.mark.parametrize("text", ["100", "100kB", "0ms", "0fps", "fast", None, 100])
def test_not_times(text: object) -> None:
    with pytest.raises(ValueError, match="found"):
        parse_time(text)


def test_a_short_spec_is_enough(tmp_path: Path) -> None:
    spec = read(tmp_path, SPEC)
    assert spec.dataset is not None
    assert (spec.name, spec.dataset.kind, spec.bits.weights) == ("net", "digits", 8)
    assert (spec.budget.sram, spec.budget.flash, spec.budget.latency) == (131072, 524288, 0.05)


def test_a_spec_for_sounds(tmp_path: Path) -> None:
    text = SPEC.replace("image_classification", "audio_classification").replace(
        '"digits"',
        '{ kind = "audio_folder", path = "x", pattern = "{class}_{speaker}_{n}.wav", group = "speaker", '
        'test = "*_[0-4].wav", val = ["*_5.wav", "*_6.wav"], sample_rate = "8kHz", duration = "1s" }',
    )
    spec = read(tmp_path, text)
    assert spec.dataset is not None
    assert isinstance(spec.dataset, AudioFolderSettings)
    assert (spec.dataset.test, spec.dataset.val) == (("*_[0-4].wav",), ("*_5.wav", "*_6.wav"))
    assert (spec.dataset.sample_rate, spec.dataset.duration) == (8000, 1.0)
    assert Spec.model_validate(json.loads(spec.model_dump_json())) == spec, "as it is remembered"


@pytest.mark.parametrize(("energy", "seconds"), [("0.37mJ", 0.01), ("37mJ", 0.05)])
def test_a_limit_of_energy_is_one_of_time(tmp_path: Path, energy: str, seconds: float) -> None:
    """The board takes 37 mW; the spec allows 50 ms."""
    spec = read(tmp_path, f'{SPEC}energy = "{energy}"\n')
    assert spec.budget.latency == pytest.approx(seconds)


def test_a_limit_of_accuracy(tmp_path: Path) -> None:
    budget = read(tmp_path, SPEC + 'accuracy = "92.5%"\nstrict = true\n').budget
    assert budget.accuracy == 0.925 and budget.strict
    assert read(tmp_path, SPEC).budget.accuracy is None
    with pytest.raises(BuildError, match="found strict without accuracy"):
        read(tmp_path, SPEC + "strict = true\n")


MODEL = """
board = "stm32f412"
[model]
file = "net.tflite"
"""


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('[budget]\naccuracy = "90%"', "found budget.accuracy without labels"),
        ("output = 1", "found model.output without labels"),
        ("threshold = 0.5", "found model.threshold without labels"),
        ("pixels = [0, 1]", "found model.pixels without a dataset"),
        ('inputs = "x.npy"\nlabels = "l.npy"\npixels = [0, 1]', "found model.pixels without a dataset"),
        ('inputs = "x.npy"\nlabels = "l.npy"\noutput = -1', "found -1; write the number of the output, from 0 on"),
        ('inputs = "x.npy"\nlabels = "l.npy"\noutput = true', "found True; write the number of the output"),
        (
            'inputs = "x.npy"\nlabels = "l.npy"\nthreshold = inf',
            "model.threshold: Input should be a finite number (found inf)",
        ),
        ("pixels = [1, 1]", "two different numbers"),
        ("pixels = [[0, 1], [0, 1], [-1, 1]]", "found a range a channel; all channels have one"),
        ("[quantize]\nepochs = 3", "found quantize.epochs with [model]; a network that exists is not trained"),
        ('inputs = "x.npy"\n[quantize]\nsamples = 64', "found quantize.samples with [model] and no dataset"),
        ('[quantize]\nmethod = "minmax"', "found quantize.method with [model] and nothing to quantise it by"),
        ("pixels = [0, nan]", "model.pixels.1: Input should be a finite number (found nan)"),
    ],
)
def test_what_labels_are_for(tmp_path: Path, keys: str, told: str) -> None:
    with pytest.raises(BuildError) as refusal:
        read(tmp_path, f"{MODEL}{keys}\n")
    assert told in str(refusal.value) and "\n" not in str(refusal.value)


def test_what_a_network_from_elsewhere_may_say(tmp_path: Path) -> None:
    labels = 'inputs = "x.npy"\nlabels = "l.npy"\n'
    spec = read(tmp_path, f'{MODEL}{labels}output = "y"\nthreshold = 0.25\n[budget]\naccuracy = 0.9\n')
    assert spec.model is not None and (spec.model.output, spec.model.threshold) == ("y", 0.25)
    images = f'dataset = "digits"\n{MODEL}pixels = [-1, 1]\noutput = 0\n'
    model = read(tmp_path, images).model
    assert model is not None and model.pixels == (-1, 1) and model.output == 0


def test_open_limits_are_the_boards(tmp_path: Path) -> None:
    spec = read(tmp_path, SPEC.split("[budget]", maxsplit=1)[0])
    assert (spec.budget.sram, spec.budget.flash, spec.budget.latency) == (262144, 1048576, None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("bits = 8", "bitz = 8", ["net.toml:5: bitz", "unknown key", "did you mean 'bits'"]),
        ('sram = "128kB"', 'srma = "128kB"', ["net.toml:8: budget.srma", "did you mean 'sram'"]),
        ('"128kB"', '"128kb"', ["net.toml:8: budget.sram", "'128kb'", "kB, MB"]),
        ('"50ms"', '"50kB"', ["net.toml:10: budget.latency", "'50kB'", "ms", "fps"]),
        ("stm32f412", "stm32f421", ["board", "'stm32f421'", "did you mean 'stm32f412'", "stm32h743"]),
        ('"128kB"', '"512kB"', ["budget.sram", "512.0 kB", "STM32F412", "256.0 kB", "larger board"]),
        ('"512kB"', '"2MB"', ["budget.flash", "2.00 MB", "1.00 MB"]),
        ("bits = 8", 'arch = "resnet9"', ["net.toml:5: arch", "'resnet9'", "'resnet8'"]),
        ("bits = 8", 'arch = "resnet8"\nsearch.parents = 3', ['found [search] beside arch = "resnet8"', "remove one"]),
        ("bits = 8", "bits = 7", ["net.toml:5: bits", "4 or 8", "7"]),
        ("bits = 8", "bits = 8.0", ["net.toml:5: bits", "4 or 8", "8.0"]),
        ("bits = 8", 'bits = "eight"', ["net.toml:5: bits", '"mixed"', "'eight'"]),
        ("bits = 8", "bits = { weights = 2 }", ["net.toml:5: bits", "4 or 8", "2"]),
        ("bits = 8", "bits = { weight = 4 }", ["net.toml:5: bits", "weights = 4", "'weight': 4"]),
        (
            "bits = 8",
            "bits = { weights = 4, activations = 2 }",
            ["net.toml:5: bits", "'activations': 2", "must be 4 or 8"],
        ),
        ("bits = 8", "bits =", ["net.toml", "not valid TOML", "line 5"]),
        ('task = "image_classification"', "", ["found no task", "[model] file"]),
        (
            '"digits"',
            '"digit"',
            ["net.toml:3: dataset: found kind = 'digit'", '"digits", "image_folder"', 'did you mean "digits"'],
        ),
        (
            '"digits"',
            '{ kind = "digits", mirror = true }',
            ['mirror = true with kind "digits"', "set the kind to", '"image_folder"'],
        ),
        (
            '"digits"',
            '{ kind = "image_folder", path = "x", window = "30ms" }',
            ['window = "30ms"', "or set the kind to", '"audio_folder"'],
        ),
        (
            '"digits"',
            '{ kind = "visual_wake_words", duration = "1s" }',
            ['duration = "1s" with kind "visual_wake_words"', "or set the kind to", '"audio_folder"'],
        ),
        (
            '"digits"',
            '{ kind = "visual_wake_words", test_fraction = 0.1 }',
            ["test_fraction = 0.1 with", "remove it, or set the kind to", '"image_folder"'],
        ),
        (
            '"digits"',
            '{ kind = "visual_wake_words", minival = "ids.txt" }',
            ["net.toml:3: dataset", "minival with year = 2017", "add year = 2014"],
        ),
        ('"digits"', '{ kind = "visual_wake_words", classes = ["a", "a"] }', ["dataset", "one is there twice"]),
        ('"digits"', '{ kind = "visual_wake_words", classes = [] }', ["dataset.classes", "at least 1"]),
        ('"digits"', '{ kind = "visual_wake_words", year = 2015 }', ["dataset.year", "2014 or 2017", "2015"]),
        (
            '"digits"',
            '{ kind = "visual_wake_words", thresold = 0.1 }',
            ["dataset.thresold", "did you mean 'threshold'"],
        ),
        ('"digits"', '{ kind = "wake_vision", holdout = 9 }', ["holdout = 9 with", '"visual_wake_words"']),
        ('"digits"', '{ path = "x" }', ["net.toml:3: dataset: found no kind", '"digits"']),
        ('"digits"', "7", ["net.toml:3: dataset", "found 7"]),
        ('"digits"', '{ kind = "digits", draw = 1 }', ["dataset", "draw = 1 without samples", "add samples = 100"]),
        ('"digits"', '{ kind = "digits", samples = 1 }', ["dataset.samples", "2", "found 1"]),
        ('"digits"', '{ kind = "image_folder" }', ["dataset", "no path", "image_folder"]),
        ('"digits"', '{ kind = "digits", path = "x" }', ["dataset", 'path = "x"', "remove it"]),
        ('"digits"', '{ kind = "audio_folder", path = "x" }', ["dataset", "audio_classification", "change the task"]),
        ('"digits"', '{ kind = "image_folder", path = "x", features = "mfcc" }', ["features", "audio_folder"]),
        ('"digits"', '{ kind = "image_folder", path = "x", duration = "1s" }', ['duration = "1s"', "audio_folder"]),
        ('"digits"', '{ kind = "image_folder", path = "x", pattern = "{n}.png" }', ["dataset.pattern", "{class}"]),
        ('"digits"', '{ kind = "image_folder", path = "x", group = "who" }', ["group = 'who'", "pattern = "]),
        (
            '"digits"',
            '{ kind = "image_folder", path = "x", pattern = "{class}_{n}.png", group = "who" }',
            ["group = 'who'", "class, n"],
        ),
        ("[budget]", "[search]\npopulation = 1\n[budget]", ["net.toml:8: search.population", "4", "found 1"]),
        (
            "[budget]",
            "[search]\npredictor = 5\n[budget]",
            ["net.toml:8: search.predictor", "0 or at least 20", "found 5"],
        ),
        (
            "[budget]",
            '[measure]\nrunner = "gdb"\nremote = "localhost"\n[budget]',
            ["net.toml:9: measure.remote", "found 'localhost'", "host:port", "'localhost:3333'"],
        ),
        (
            "[budget]",
            '[measure]\nrunner = "gdb"\nremote = "host:99999"\n[budget]',
            ["found 'host:99999'", "1 to 65535"],
        ),
        (
            "[budget]",
            '[measure]\nremote = "localhost:3333"\n[budget]',
            ["net.toml:7: measure", "runner = 'emulator'", 'set runner = "gdb" or remove remote'],
        ),
        ("[budget]", '[measure]\nrunner = "jlink"\n[budget]', ["measure.runner", "'qemu', 'gdb' or 'pyocd'", "jlink"]),
    ],
)
def test_a_mistake_is_told_with_place_and_remedy(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert old in SPEC
    with pytest.raises(BuildError) as caught:
        read(tmp_path, SPEC.replace(old, new))
    for words in told:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-16", ["net.toml:1: found the byte 0xff at offset 0, as in UTF-16"]),
        ("utf-16-le", ["net.toml:2: found the byte 0xe9 at offset 16, as in UTF-16"]),
        ("latin-1", ["net.toml:2: found the byte 0xe9 at offset 8;"]),
    ],
)
def test_other_encodings_are_told_with_the_byte(tmp_path: Path, encoding: str, told: list[str]) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(("# hello\n\xe9".replace("\n\xe9", "\n\xe9 = 1\n") + SPEC).encode(encoding))
    with pytest.raises(BuildError) as caught:
        read_spec(path)
    for words in [*told, "TOML is written in UTF-8: save the file with that encoding"]:
        assert words in str(caught.value)


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path: Path) -> None:
    expected = read(tmp_path, SPEC)
    for data in (b"\xef\xbb\xbf" + SPEC.encode(), SPEC.replace("\n", "\r\n").encode()):
        (tmp_path / "net.toml").write_bytes(data)
        assert read_spec(tmp_path / "net.toml")[0] == expected


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"128kB"', f'"{"9" * 400}kB"', ["budget.sram", "99 ... 99", "a number with a unit"]),
        ('"128kB"', "9" * 400, ["budget.sram", "99 ... 99", "a number with a unit"]),
        ('"128kB"', "9" * 5000, ["net.toml: not valid TOML", "4300 digits"]),
        ('"128kB"', '"8192MB"', ["budget.sram", "'8192MB'", "from 1 to 4096 MB"]),
        ('"50ms"', f'"0.{"0" * 400}1ms"', ["budget.latency", "above 0"]),
        ('"50ms"', "inf", ["budget.latency", "found inf", "a number with a unit"]),
        ('"50ms"', "1e300", ["budget.latency", "found 1e+300"]),
        ('"50ms"', '"0.0000001fps"', ["budget.latency", "at most 1000000 s"]),
        ("[budget]", '[budget]\nenergy = "10000MJ"', ["budget.energy", "J, mJ or uJ"]),
        ("bits = 8", "bits = true", ["net.toml:5: bits", "found true"]),
        ("bits = 8", "seed = true", ["net.toml:5: seed", "found true"]),
        ("bits = 8", "seed = -1", ["net.toml:5: seed", "-1"]),
        ("bits = 8", "space.widths = [0.2, true]", ["space.widths", "found true"]),
        ("bits = 8", "space.widths = [0.2, nan]", ["space.widths.1", "finite", "nan"]),
        ("bits = 8", 'report.title = "a\\u0000b"', ["report.title", "NUL"]),
        ("bits = 8", "bits = " + "[" * 3000 + "]" * 3000, ["net.toml: not valid TOML"]),
        ("bits = 8", "bits = " + "{a=" * 200 + "1" + "}" * 200, ["net.toml:5: bits"]),
        ("bits = 8", ".".join("a" * 3000) + " = 1", ["net.toml"]),
        ("bits = 8", '"x\\ny" = 1', ["'x\\ny'", "unknown key"]),
    ],
    ids=range(19),
)
def test_absurd_values_are_told_in_a_line(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    with pytest.raises(BuildError) as caught:
        read(tmp_path, SPEC.replace(old, new))
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
    for words in told:
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["net.tflite", "net.lite", "NET.TFLITE", "net.Lite"])
def test_models_may_be_called_lite(name: str) -> None:
    assert ModelSettings(file=name).file == name


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "ram"', 'kind = "flash"', "no memory of kind 'ram'"),
        ("size = ", 'size = "4096MB" #', "addresses end at 0xffffffff"),
        ("line = 16", "line = 0", "cache.line"),
        ("line = 16", "line = 24", "lines have 4, 8, 16"),
        ("line = 16", "line = 256", "no multiple of line"),
        ("clock = ", 'clock = "0.1Hz" #', "from 1 Hz to 100 GHz"),
        ("active_power_mw = ", "active_power_mw = inf #", "finite"),
        ('core = "cortex-m4"', 'core = "cortex-m3"', "a cortex-m3 has no DSP extension"),
        ('fpu = "fpv4-sp-d16"', 'fpu = "fpv5-d16"', 'a cortex-m4 may have "none" or "fpv4-sp-d16"'),
        ('"stm32f4"', '"stm32f7"', "is for a cortex-m7, and core = .cortex-m4"),
        ("clock_setup = ", 'reset_clock = "101MHz"\nclock_setup = ', "above clock = 100000000 Hz"),
        ("origin = 0x0800_0000", "origin = 0x0800_0040", "the vector table, which begins it, needs a multiple of 128"),
        ("origin = 0x2000_0000", "origin = 0x2000_0004", "the stack, which begins it, needs a multiple of 32"),
        ("origin = 0x2000_0000", "origin = 0xC000_0000", "cores see peripherals"),
        ("origin = 0x0800_0000", "origin = 0x4000_0000", "no code runs there"),
        ("origin = 0x2000_0000", "origin = 0x6000_0000", "holds nothing before its controller is set up"),
        ('"SRAM1"', '"ORIGIN"', "the linker script uses that name"),
    ],
)
def test_boards_that_cannot_be(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = board_files()["stm32f412"].read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(BuildError, match=told) as caught:
        board_in(tmp_path / "mine.toml")
    assert "mine.toml" in str(caught.value) and len(str(caught.value)) < 500
    assert "\n" not in str(caught.value), "one mistake, one line"


def test_external_ram_that_the_user_sets_up(tmp_path: Path) -> None:
    text = board_files()["stm32f412"].read_text().replace('"stm32f4"', '"clock.c"')
    text += '[[memory]]\nname = "PSRAM"\nkind = "ram"\norigin = 0x6000_0000\nsize = "8MB"\nwait_states = 20\n'
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "clock.c").write_text("uint32_t clock_setup(void) { return 100000000; }\n")
    assert board_in(tmp_path / "mine.toml").sram_bytes == 8 << 20


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        read(tmp_path, SPEC.replace("bits = 8", "bits = 7").replace("50ms", "50"))
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"gone\.toml: cannot be read"):
        read_spec(tmp_path / "gone.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.toml")), ids=lambda path: path.stem)
def test_the_specs_of_the_checkout_are_valid(path: Path) -> None:
    read_spec(path)


@pytest.mark.parametrize(
    ("name", "core", "sram", "flash"),
    [  # kB; the table in the MCUNet paper's board section
        ("stm32f412", "cortex-m4", 256, 1024),
        ("stm32f746", "cortex-m7", 320, 1024),
        ("stm32f765", "cortex-m7", 512, 1024),
        ("stm32h743", "cortex-m7", 512, 2048),
    ],
)
def test_boards(name: str, core: str, sram: int, flash: int) -> None:
    board = read_board(name)
    assert (board.core, board.sram_bytes, board.flash_bytes) == (core, sram * 1024, flash * 1024)


def test_adding_a_board_is_adding_a_file(tmp_path: Path) -> None:
    text = (ROOT / "boards" / "stm32f412.toml").read_text().replace("STM32F412xG", "Mine").replace("256kB", "64kB")
    (tmp_path / "mine.toml").write_text(text)
    assert board_in(tmp_path / "mine.toml").sram_bytes == 65536


def test_overlapping_memories_are_refused(tmp_path: Path) -> None:
    text = (ROOT / "boards" / "stm32f746.toml").read_text().replace("0x2001_0000", "0x2000_8000")
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BuildError, match=r"DTCM reaching into SRAM1"):
        board_in(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("wait_states = 3", "", "memory.0.wait_states: missing"),
        ('size = "256kB"\nwait_states = 0', 'size = "256kB"', "memory.1.wait_states: missing"),
        ('clock_setup = "stm32f4"\n', "", "neither clock_setup nor reset_clock"),
        ('"stm32f4"', '"stm32f1"', "found 'stm32f1'; write one of stm32f4, stm32f7, stm32h7, or a C file"),
    ],
)
def test_what_a_board_must_say(old: str, new: str, told: str, tmp_path: Path) -> None:
    text = (ROOT / "boards" / "stm32f412.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    with pytest.raises(BuildError) as caught:
        board_in(tmp_path / "mine.toml")
    assert told in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "text"), [("spec", spec_schema()), ("board", board_schema()), ("report", report_schema())]
)
def test_the_schema_for_editors_is_current(name: str, text: str) -> None:
    assert (ROOT / "docs" / f"{name}.schema.json").read_text() == text, "run: doit schema"


@pytest.mark.parametrize(("name", "text"), [("spec", spec_page()), ("board", board_page())])
def test_the_reference_is_current(name: str, text: str) -> None:
    assert (ROOT / "docs" / "reference" / f"{name}.md").read_text() == text, "run: doit schema"


@pytest.mark.parametrize("prefix", ["model", "kws", "kws_2", "a_", "x" * 40])
def test_prefixes(tmp_path: Path, prefix: str) -> None:
    assert read(tmp_path, f'{SPEC}[firmware]\nprefix = "{prefix}"\n').firmware.prefix == prefix


@pytest.mark.parametrize(
    "prefix", ["", "2x", "_x", "KWS", "a-b", "a b", "x" * 41, "kws\\n", "../x", "ä", "string", "main", "read"]
)
def test_not_prefixes(tmp_path: Path, prefix: str) -> None:
    """Nothing that is no beginning of a name in C, hides a header of C, or is a name inside of the network's C."""
    with pytest.raises(BuildError, match=r"net\.toml:\d+: firmware\.prefix: found .*kws") as caught:
        read(tmp_path, f'{SPEC}[firmware]\nprefix = "{prefix}"\n')
    assert len(str(caught.value)) < 500


def test_single_keys_are_changed_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text('task = "image_classification"\ndataset = "digits"\nboard = "stm32f412"\n')
    spec, _ = read_spec(path, {"budget.latency": "8ms", "bits": "4", "space.widths": "[0.2, 0.3]", "seed": "7"})
    assert (spec.budget.latency, spec.bits.weights, spec.space.widths, spec.seed) == (0.008, 4, (0.2, 0.3), 7)
    for key, value, told in (
        ("budget.latancy", "9ms", "set=budget.latancy=9ms: budget.latancy: unknown key"),
        ("bits", "5", "set=bits=5: bits: "),
        ("dataset.val_fraction", "0.2", "dataset is no table there"),
    ):
        with pytest.raises(BuildError, match=told):
            read_spec(path, {key: value})


@pytest.mark.parametrize(
    ("text", "weights", "activations", "ends"),
    [
        ("bits = 4", 4, 8, None),
        ('bits = "mixed"', "mixed", 8, None),
        ("bits = { weights = 4 }", 4, 8, None),
        ("bits = { activations = 4 }", 8, 4, None),
        ("bits = { weights = 4, activations = 4 }", 4, 4, None),
        ('bits = { weights = "mixed", activations = 8 }', "mixed", 8, None),
        ("bits = { weights = 4, ends = 8 }", 4, 8, 8),
        ("bits = { weights = 4, ends = 4 }", 4, 8, None),
        ('bits = { weights = "mixed", ends = 8 }', "mixed", 8, 8),
    ],
)
def test_bits_are_a_number_a_word_or_a_table(
    tmp_path: Path, text: str, weights: int | str, activations: int, ends: int | None
) -> None:
    bits = read(tmp_path, SPEC.replace("bits = 8", text)).bits
    assert (bits.weights, bits.activations, bits.ends) == (weights, activations, ends)
