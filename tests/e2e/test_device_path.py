"""Original pictures through the generated C, preprocessing and all: the accuracy in the report, exactly."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcubuild.toolchain.compile import find
from tests.e2e.checkout import Checkout

SPEC = """
task = "image_classification"
board = "stm32f412"
arch = "smallcifar"

[dataset]
kind = "image_folder"
path = "photos"

[space]
widths = [0.5]
resolutions = [24]

[supernet]
epochs = 1

[finetune]
epochs = 20

[quantize]
samples = 32
"""
MAIN = """
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    int32_t size[2];
    int8_t *arena = malloc(MODEL_ARENA_BYTES);
    while (fread(size, sizeof size, 1, stdin) == 1) {
        const int32_t stride = size[0] * MODEL_INPUT_CHANNELS;
        uint8_t *pixels = malloc(stride * size[1]);
        if (fread(pixels, stride, size[1], stdin) != (size_t)size[1]) return 2;
        const struct model_picture picture = {pixels, size[0], size[1], stride};
        model_preprocess(&picture, model_input(arena));
        model_run(arena);
        fwrite(model_output(arena), 1, MODEL_OUTPUT_BYTES, stdout);
        free(pixels);
    }
    return 0;
}
"""
CLASSES = ("coarse", "fine", "wide")
SIZES = ((64, 48), (48, 64), (50, 90), (40, 40), (61, 40))


def photo(label: int, rng: np.random.Generator) -> Image.Image:
    """Blurred noise in colours, whose grain is the class."""
    width, height = SIZES[rng.integers(len(SIZES))]
    grain = ((9, 9), (2, 2), (2, 9))[label]
    noise = rng.integers(0, 256, (height // grain[0] + 1, width // grain[1] + 1, 3), np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC), np.float64)
    return Image.fromarray(np.clip(picture + rng.normal(0, 40, picture.shape), 0, 255).astype(np.uint8))


def write_photos(folder: Path) -> dict[Path, int]:
    """A data set; the test pictures and their classes."""
    rng, tests = np.random.default_rng(0), {}
    for split, count in (("train", 60), ("val", 12), ("test", 20)):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                path = folder / split / name / f"{number}.png"
                photo(label, rng).save(path)
                if split == "test":
                    tests[path] = label
    return tests


@pytest.mark.slow
def test_accuracy_on_original_pictures_is_the_reports(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", tmp_path / "store")
    folder = checkout.write_spec(SPEC).parent
    tests = write_photos(folder / "photos")
    run = checkout.doit("build")
    assert run.code == 0, run.output
    build = checkout.path / "build" / "net"
    (build / "c" / "main.c").write_text(MAIN)
    sources = ["main.c", "model.c", "weights.c", "preprocess.c"]
    command = [*find("zig").command, "-std=c99", "-O2", "-o", "program", *sources]
    subprocess.run(command, cwd=build / "c", check=True)
    fed = b""
    for path in tests:
        pixels = np.asarray(Image.open(path))
        fed += np.array(pixels.shape[1::-1], np.int32).tobytes() + pixels.tobytes()
    answered = subprocess.run([build / "c" / "program"], input=fed, capture_output=True, check=True).stdout
    outputs = np.frombuffer(answered, np.int8).reshape(len(tests), len(CLASSES))
    report = json.loads((build / "report.json").read_text())
    index = json.loads((build / "index.json").read_text())
    assert index["native_resolution"] > 24  # or nothing is resized twice
    share = float((outputs.argmax(axis=1) == [*tests.values()]).mean())
    assert share > 0.5  # guessing has a third
    assert share == report["accuracy"]["device"]
    cost = json.loads((build / "preprocessing.json").read_text())
    assert (cost["width"], cost["height"]) in SIZES and 100_000 < cost["cycles"] < 3_000_000
    page = (build / "report.html").read_text()
    assert f"{cost['height']} pixels, the size of most training images, that takes" in page
    assert f"and {cost['stack_bytes']} B of stack" in page
    assert sorted(map(bytes, outputs)) == sorted(map(bytes, np.load(build / "int8_outputs.npy")))
