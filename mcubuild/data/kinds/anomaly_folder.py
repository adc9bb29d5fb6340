"""A folder of the user's WAV files: normal ones to train with, normal and anomalous ones to test with."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mcubuild.data.kinds.base import Found, Kind
from mcubuild.data.sources import SPLITS, files_below, folder_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcubuild.data.damage import Damage
    from mcubuild.data.files import File
    from mcubuild.spec.datasets.anomaly_folder import AnomalyFolderSettings

CLASSES = ("normal", "anomalous")
_LOOKED_AT = 100
"""Training recordings, about, whose sampling rate is the usual one."""
_BEGINNINGS = {"normal": 0, "anomal": 1, "abnormal": 1}


def _split_of(name: PurePosixPath) -> str | None:
    first = name.parts[0].lower()
    return next((split for split, called in SPLITS.items() if len(name.parts) > 1 and first in called), None)


def _label_of(name: PurePosixPath) -> int | None:
    """The label that the file's name, or the folder next to it that says one, has at its beginning."""
    for part in reversed(name.parts):
        for beginning, label in _BEGINNINGS.items():
            if part.lower().startswith(beginning):
                return label
    return None


def _listed(folder: Path) -> list[tuple[str, str, int]]:
    """Name, split and label of each WAV file.

    Raises:
        BuildError: a file says no split or label, an anomalous one is to be trained with, or a test split lacks one.
    """
    from mcubuild.errors import BuildError

    found = []
    for text in files_below(folder):
        name = PurePosixPath(text)
        if name.suffix.lower() != ".wav":
            continue
        split, label = _split_of(name), _label_of(name)
        if split is None:
            raise BuildError(
                f"{folder / text}: is in none of the folders train, val and test; move it to train if it is normal, "
                f"else to test/anomalous."
            )
        if split == "train" and label == 1:
            raise BuildError(
                f"{folder / text}: is anomalous, but networks learn what is normal; move it to test/anomalous."
            )
        if split != "train" and label is None:
            raise BuildError(
                f"{folder / text}: neither its folder nor its name begins with normal or anomalous; move it to "
                f"{split}/normal or {split}/anomalous."
            )
        found.append((text, split, label or 0))
    for split, label, where in (("train", 0, "train"), ("test", 0, "test/normal"), ("test", 1, "test/anomalous")):
        if not any(one[1:] == (split, label) for one in found):
            raise BuildError(
                f"{folder}: found no {CLASSES[label]} WAV files of the {split} split; dataset.path names the folder "
                f"with train, test/normal and test/anomalous: put some into {where}."
            )
    return found


def _usual_rate(files: "Sequence[File]", damage: "Damage") -> int:
    """The sampling rate in Hz of most of the training recordings, 16 kHz at the most; some are looked at.

    Raises:
        BuildError: none of those can be read.
    """
    import numpy as np

    from mcubuild.data.recordings import LARGEST_RATE
    from mcubuild.data.wav import read_channels

    rates = []
    for file in files[:: max(1, len(files) // _LOOKED_AT)]:
        with damage.noted(file):
            rates.append(read_channels(file)[0])
    if not rates:
        damage.refuse_more_than(0, len(files))
    return min(LARGEST_RATE, int(np.median(rates)))


def _find(settings: "AnomalyFolderSettings", root: Path) -> Found:
    import numpy as np

    from mcubuild.data.damage import Damage
    from mcubuild.data.files import PathFile
    from mcubuild.data.recordings import mixed, resampled
    from mcubuild.data.samples import Windows
    from mcubuild.data.spectra import Spectra
    from mcubuild.data.wav import read_channels
    from mcubuild.errors import BuildError
    from mcubuild.progress import bar

    folder = root / settings.path
    listed = _listed(folder)
    files = [PathFile(folder / name, name) for name, _, _ in listed]
    damage = Damage("recordings")
    rate = settings.sample_rate or _usual_rate(
        [file for file, (_, split, _) in zip(files, listed, strict=True) if split == "train"], damage
    )
    step = settings.step or settings.frames
    spectra = Spectra(
        rate, round(rate * settings.window), round(rate * settings.hop), settings.bands, settings.frames, step
    )
    windows, names = [np.empty((0, settings.frames, settings.bands), np.float32)], list[str]()
    labels, splits, groups = list[int](), list[str](), list[str]()
    with bar("read audio", len(listed)) as progress:
        for file, (name, split, label) in zip(files, listed, strict=True):
            with damage.noted(file):
                own, channels = read_channels(file)
                sound = mixed(channels)
                heard = resampled(sound - sound.mean(), own, rate)
                if len(heard) < spectra.least:
                    raise BuildError(
                        f"{folder / name}: lasts {len(heard) / rate:.3g} s; a window of {settings.frames} frames needs "
                        f"{spectra.least / rate:.3g} s: remove it, or give dataset.frames, window or hop less."
                    )
                cut = spectra.windows(heard)
                windows.append(cut)
                names += [f"{name} from {place * step * spectra.hop / rate:.2f} s" for place in range(len(cut))]
                labels += [label] * len(cut)
                splits += [split] * len(cut)
                groups += [name] * len(cut)
            progress.advance()
    damage.refuse_more_than(settings.corrupt, len(listed))
    return Found(
        CLASSES,
        np.array(labels, np.int64),
        Windows(
            np.concatenate(windows),
            names,
            tuple(f"band {band + 1}" for band in range(settings.bands)),
            settings.corrupt,
        ),
        splits,
        groups,
        {"val": settings.val_fraction},
        strata=CLASSES[:1],
        cautions=damage.cautions(len(listed)),
    )


KIND = Kind("recordings", folder_of, _find)
