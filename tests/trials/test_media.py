"""Of mutated images and sounds, none is read wrongly, hangs, or ends in anything but a line that names the file."""

import pytest

from tests.trials import images, wavs


def test_a_few_images_and_sounds() -> None:
    assert images.trial(300, 1).bad == []
    assert wavs.trial(300, 1).bad == []


@pytest.mark.slow
def test_thousands_of_images() -> None:
    tally = images.trial(3000, 0)
    assert tally.bad == []
    assert tally.outcomes["read with its pixels"] > 500


@pytest.mark.slow
def test_thousands_of_sounds() -> None:
    tally = wavs.trial(3000, 0)
    assert tally.bad == []
    assert tally.outcomes["read with its sound"] > 500
