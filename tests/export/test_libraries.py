"""The network as a library: compiled as its own build files say, its example answers as expected in the emulator."""

import json
import re
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from mcubuild.board import read_board
from mcubuild.data.splits import Index, write_index
from mcubuild.engine.emit.codegen import generate
from mcubuild.engine.memory.planner import plan
from mcubuild.engine.target import Target
from mcubuild.errors import printable
from mcubuild.export.format import Built, format_of
from mcubuild.export.library import slug
from mcubuild.importers.tflite import import_tflite
from mcubuild.ir.files import write_graph
from mcubuild.ir.graph import Graph
from mcubuild.spec.engine import EngineSettings
from mcubuild.toolchain import firmware, sizes
from mcubuild.toolchain.compile import find, libc_flags
from mcubuild.toolchain.target import ToolchainName, target_flags
from tests.engine.networks import mobile
from tests.hostile import HOSTILE
from tests.importers.networks import random_network as random_tflite
from tests.importers.writer import write
from tests.networks import random_network
from tests.toolchain.plain_unicorn import Core
from tests.toolchains import TOOLCHAINS

LIBRARIES = ("arduino", "cmsis", "platformio", "zephyr")
BOARD = read_board("stm32f412")
HEADERS = {
    "Arduino.h": """
        #pragma once
        #include <string.h>
        extern "C" void say(const char *text);
        struct Port {
            void begin(long) {}
            void print(const char *text) { say(text); }
            void print(unsigned long) { say("#"); }
            void println(const char *text) { say(text); say("\\n"); }
        };
        static Port Serial;
        static unsigned long micros() { return 0; }
        static void delay(unsigned long) {}
        """,
    "zephyr/kernel.h": "",
    "zephyr/sys/printk.h": """
        void say(const char *text);
        static inline void printk(const char *format, const char *text) { say(text); (void)format; }
        """,
}
"""What the frameworks bring, as far as examples use it."""
HARNESS = """
    char said[512];
    void say(const char *text);
    void finished(void);
    int example(void);
    void say(const char *text)
    {
        static unsigned length;
        while (*text && length + 1 < sizeof said) said[length++] = *text++;
    }
    __attribute__((noinline)) void finished(void) { __asm__ volatile("" ::: "memory"); }
    int main(void) { example(); finished(); for (;;) {} }
    """
STARTS = {
    "arduino": 'void setup(); void loop(); extern "C" int example() { setup(); loop(); return 0; }',
    "cmsis": """
        void say(const char *text);
        int model_classify_sample(const char **name);
        int example(void);
        int example(void)
        {
            const char *name;
            const int expected = model_classify_sample(&name);
            say(name);
            say(expected ? ": as expected" : ": NOT");
            return 0;
        }
        """,
}
"""How the harness calls an example that is no main itself."""


@dataclass(frozen=True)
class Recipe:
    """What a build system would compile."""

    library: tuple[Path, ...]
    example: tuple[Path, ...]
    include: Path
    flags: tuple[str, ...] = ()


def built(folder: Path, classes: tuple[str, ...] = (), graph: Graph | None = None, prefix: str = "model") -> Built:
    """A build with C for BOARD; of a given graph without a data set, its input streamed if the prefix says so."""
    (folder / "c").mkdir(parents=True)
    if graph is not None:
        target = Target.of(BOARD, EngineSettings(input="stream" if prefix == "stream" else "array"))
        write_graph(graph, folder)
        generate(graph, plan(graph, target), target, folder / "c", stack=2048, prefix=prefix)
        firmware.generate(BOARD, 2048, folder / "c", prefix)
        return Built("my.net_1", folder, BOARD, prefix, brought=True)
    graph = random_network(5)
    count = graph.tensor(graph.outputs[0]).elements
    names = (*classes, *(f"class {label}" for label in range(count)))[:count]
    target = Target.of(BOARD, EngineSettings())
    write_graph(graph, folder)
    write_index(Index("image_folder", "image_classification", names, 16, 16, 1), folder / "index.json")
    generate(graph, plan(graph, target), target, folder / "c", stack=2048, classes=names)
    firmware.generate(BOARD, 2048, folder / "c")
    return Built("my.net_1", folder, BOARD, "model")


def exported(
    name: str, tmp_path: Path, classes: tuple[str, ...] = (), graph: Graph | None = None, prefix: str = "model"
) -> Path:
    """The library's folder."""
    made = built(tmp_path / "build", classes, graph, prefix)
    out = tmp_path / "export"
    out.mkdir()
    told = format_of(name).write(made, out)
    assert told.path.exists() and told.told and told.next
    return out / name / slug(made.name)


def recipe(name: str, folder: Path) -> Recipe:
    """From the library's own build files."""
    return {"arduino": _arduino, "cmsis": _cmsis, "platformio": _platformio, "zephyr": _zephyr}[name](folder)


def _arduino(folder: Path) -> Recipe:
    """All of src/ is compiled and is the include path: the specification's rule."""
    sources = sorted(path for path in (folder / "src").rglob("*") if path.suffix in (".c", ".cpp", ".S"))
    return Recipe(tuple(sources), (folder / "examples/classify/classify.ino",), folder / "src")


def _platformio(folder: Path) -> Recipe:
    manifest = json.loads((folder / "library.json").read_text())
    build, (example,) = manifest["build"], manifest["examples"]
    sources = sorted(path for path in (folder / build["srcDir"]).rglob("*") if path.suffix in (".c", ".cpp", ".S"))
    files = [folder / example["base"] / name for name in example["files"]]
    assert all(path.is_file() for path in files)
    assert (folder / build["includeDir"] / manifest["headers"]).is_file()
    main = tuple(path for path in files if path.suffix == ".cpp")
    return Recipe(tuple(sources), main, folder / build["includeDir"], tuple(build["flags"]))


def _zephyr(folder: Path) -> Recipe:
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert module["name"] == slug("my.net_1") and module["samples"] == ["samples"]
    cmake = (folder / module["build"]["cmake"] / "CMakeLists.txt").read_text()
    (sources,) = re.findall(r"zephyr_library_sources\((.*?)\)", cmake)
    (include,) = re.findall(r"zephyr_include_directories\((.*?)\)", cmake)
    (option,) = re.findall(r"^if\(CONFIG_(\w+)\)", cmake, re.MULTILINE)
    assert f"config {option}\n" in (folder / module["build"]["kconfig"]).read_text()
    sample = folder / "samples" / "classify"
    assert f"CONFIG_{option}=y\n" in (sample / "prj.conf").read_text()
    (main,) = re.findall(r"target_sources\(app PRIVATE (.*?)\)", (sample / "CMakeLists.txt").read_text())
    assert yaml.safe_load((sample / "sample.yaml").read_text())["tests"]["sample.model.classify"]
    return Recipe(tuple(folder / name for name in sources.split()), (sample / main,), folder / include)


def _cmsis(folder: Path) -> Recipe:
    """Also what PACK.xsd asks of a package, as far as one like this goes."""
    root = ET.parse(folder / f"mcubuild.{slug('my.net_1')}.pdsc").getroot()
    assert root.tag == "package" and re.fullmatch(r"\d+\.\d+\.\d+", root.get("schemaVersion", ""))
    elements = [element.tag for element in root]
    assert {"vendor", "name", "description", "url", "license", "releases"} < set(elements)
    assert len(elements) == len(set(elements))  # xs:all
    assert re.fullmatch(r"[-_A-Za-z0-9]+", root.findtext("name", ""))
    assert (folder / root.findtext("license", "")).is_file()
    (component,) = root.iterfind("components/component")
    assert component.get("Cclass") == "Machine Learning" and component.get("Cversion") == "1.0.0"
    for part in ("Cvendor", "Cclass", "Cgroup", "Csub"):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 -]{1,31}", component.get(part, "")), part
    categories = {"doc", "include", "header", "sourceC", "sourceAsm"}
    assert {file.get("category") for file in component.iter("file")} == categories
    (condition,) = root.iterfind("conditions/condition")
    assert component.get("condition") == condition.get("id")
    files = [(file.get("category"), folder / file.get("name", ""), file.get("attr")) for file in component.iter("file")]
    assert all(path.exists() for _, path, _ in files)
    (include,) = (path for category, path, _ in files if category == "include")
    sources = [(path, attr) for category, path, attr in files if category in ("sourceC", "sourceAsm")]
    plain, template = ([path for path, attr in sources if (attr == "template") is wanted] for wanted in (False, True))
    return Recipe(tuple(plain), tuple(template), include)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_its_example_answers_as_expected(name: str, toolchain: ToolchainName, tmp_path: Path) -> None:
    folder = exported(name, tmp_path)
    out = linked(name, folder, tmp_path, toolchain)
    core = Core(out, BOARD)
    core.run_to("finished")
    said = core.read("said").split(b"\0")[0].decode()
    assert re.match(r"class \d+: as expected|class \d+as expected", said), said


def linked(name: str, folder: Path, tmp_path: Path, toolchain: ToolchainName) -> Path:
    """The example and the board's start-up code as firmware, by the library's recipe; the folder with the ELF."""
    made, out, frame = recipe(name, folder), tmp_path / "out", tmp_path / "frame"
    out.mkdir()
    for path, text in {**HEADERS, "harness.c": HARNESS}.items():
        (frame / path).parent.mkdir(parents=True, exist_ok=True)
        (frame / path).write_text(text)
    extra = [frame / "harness.c", *((tmp_path / "build" / "c" / "firmware").glob("[sc]*.c"))]
    kind = "arduino" if name in ("arduino", "platformio") else name
    if kind in STARTS:
        extra.append(frame / f"start.{'cpp' if kind == 'arduino' else 'c'}")
        extra[-1].write_text(STARTS[kind])
    objects = []
    for number, source in enumerate([*made.library, *made.example, *extra]):
        objects.append(out / f"{number}.o")
        run([*compiling(source, kind, made, frame, toolchain), "-c", str(source), "-o", str(objects[-1])], tmp_path)
    script = tmp_path / "build" / "c" / "firmware" / "linker.ld"
    flags = ["-nostartfiles"] if toolchain == "gcc" else ["-Wl,-e,Reset_Handler", "-Wl,-z,max-page-size=32"]
    command = [*find(toolchain).command, *target_flags(toolchain, BOARD), "-O2", "-T", str(script), "-Wl,--gc-sections"]
    run([*command, *flags, *map(str, objects), "-o", str(out / "firmware.elf")], tmp_path)
    sizes.write(out / "firmware.elf", BOARD, 2048, find(toolchain).identity, out)
    return out


def compiling(source: Path, kind: str, made: Recipe, frame: Path, toolchain: ToolchainName) -> list[str]:
    """The compiler's call, but for the files."""
    command = [*find(toolchain).command]
    if source.suffix in (".ino", ".cpp"):
        command = [command[0], "c++"] if toolchain == "zig" else [command[0].replace("gcc", "g++")]
        command += ["-x", "c++", "-fno-exceptions", "-fno-rtti", "-nostdinc++"]
    elif source.suffix == ".c":
        command += ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
        command += ["-Dmain=example"] if kind == "zephyr" and source in made.example else []
    command += [*target_flags(toolchain, BOARD), *made.flags, "-ffreestanding", "-fno-common", "-ffunction-sections"]
    command += ["-fno-sanitize=undefined", *libc_flags()] if toolchain == "zig" else []
    return [*command, f"-I{frame}", f"-I{made.include}"]


def run(command: Sequence[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stderr}"


@pytest.mark.parametrize("kind", ["stream", "many", "wide"])
def test_networks_of_any_kind(kind: str, tmp_path: Path) -> None:
    """Whose input is streamed; of several inputs and outputs; of 16 bits. With a prefix, and no classes."""
    if kind == "stream":
        graph = mobile(3)
    else:
        dtype, kinds = "int16" if kind == "wide" else "int8", ("conv", "binary", "concatenation")
        nets = (random_tflite(seed, 5, kinds, dtype == "int16", dtype) for seed in range(40))
        net = next(net for net in nets if len(net.inputs) > 1)
        graph = import_tflite(write(tmp_path / "net.tflite", net.finish())).graph
        assert len(graph.inputs) > 1
    folder = exported("arduino", tmp_path, graph=graph, prefix=kind)
    core = Core(linked("arduino", folder, tmp_path, "zig"), BOARD)
    core.run_to("finished")
    assert core.read("said").startswith(b"as expected, in #")


@pytest.mark.parametrize("name", LIBRARIES)
def test_hostile_names_stay_names(name: str, tmp_path: Path) -> None:
    """Of classes and of the board: every file is still what it was, and the example is compiled."""
    folder = exported(name, tmp_path, HOSTILE)
    linked(name, folder, tmp_path, "zig")
    for text in HOSTILE:
        assert text not in (folder / "README.md").read_text() or text == printable(text)
    assert not list(tmp_path.rglob("owned"))


def test_an_arduino_librarys_properties(tmp_path: Path) -> None:
    """By the specification of the format, revision 2.2, and arduino-lint's rules for names."""
    folder = exported("arduino", tmp_path)
    lines = (folder / "library.properties").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    asked = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures")
    assert set(asked) < set(found) and all(found.values())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", found["name"]) and found["name"] == folder.name
    assert found["category"] == "Data Processing" and found["url"].startswith("https://")
    assert (folder / "src" / found["includes"]).is_file()
    example = folder / "examples" / "classify" / "classify.ino"
    assert example.stem == example.parent.name and "void setup()" in example.read_text()
    keywords = [line.split("\t") for line in (folder / "keywords.txt").read_text().splitlines()]
    assert ["model_run", "KEYWORD2"] in keywords and ["MODEL_ARENA_BYTES", "LITERAL1"] in keywords
    with zipfile.ZipFile(tmp_path / "export" / f"{folder.name}-arduino.zip") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {folder.name}  # one folder, as the IDE wants it


def test_a_platformio_manifest(tmp_path: Path) -> None:
    """By the patterns and lengths of PlatformIO's schema."""
    manifest = json.loads((exported("platformio", tmp_path) / "library.json").read_text())
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", manifest["name"]) and len(manifest["name"]) <= 50
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"]) and len(manifest["description"]) <= 255
    assert all(re.fullmatch(r"[a-z\d\-_+. ]+", word) for word in manifest["keywords"])


@pytest.mark.needs("platformio")
def test_platformio_takes_the_manifest(tmp_path: Path) -> None:
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    parsed = ManifestParserFactory.new_from_file(str(exported("platformio", tmp_path) / "library.json")).as_dict()
    parsed.pop("license")  # is looked up on the network
    ManifestSchema().load_manifest(parsed)


def test_a_packs_archive(tmp_path: Path) -> None:
    """Its name says vendor, name and version; the description lies at the top."""
    folder = exported("cmsis", tmp_path)
    with zipfile.ZipFile(tmp_path / "export" / f"mcubuild.{folder.name}.1.0.0.pack") as archive:
        assert f"mcubuild.{folder.name}.pdsc" in archive.namelist()
        assert len(archive.namelist()) == len([path for path in folder.rglob("*") if path.is_file()])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quickstart", "quickstart"),
        ("my-net_1", "my-net-1"),
        ("5fps", "net-5fps"),
        ("my.net_1", "my-net-1-??????"),
        ("x" * 90, "x" * 25 + "-??????"),
        ("a...", "a-??????"),
        ("9" * 60, "net-" + "9" * 21 + "-??????"),
        ("\u00e9", "net-??????"),
    ],
)
def test_names_that_package_managers_take(name: str, expected: str) -> None:
    assert fnmatchcase(slug(name), expected) and len(slug(name)) <= 32


def test_names_that_lose_something_stay_apart() -> None:
    names = [f"person_detection_f412-budget.latency-{limit}ms" for limit in (50, 100)] + ["\u00e9", "___", "a.b", "a_b"]
    assert len({slug(name) for name in names}) == len(names)


def test_equal_builds_give_equal_bytes(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        made = built(tmp_path / name / "build")
        (tmp_path / name / "export").mkdir()
        archives.append(format_of("arduino").write(made, tmp_path / name / "export").path.read_bytes())
    assert archives[0] == archives[1]
