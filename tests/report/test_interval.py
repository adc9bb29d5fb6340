import pytest

from mcubuild.report.interval import score_text
from mcubuild.tasks.interval import wilson


def test_wilson_interval() -> None:
    # E. B. Wilson's interval as in Brown, Cai and DasGupta, Statistical Science 16 (2001).
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    low, high = wilson(1.0, 360)
    assert low == pytest.approx(0.98944, abs=1e-4) and high == 1
    assert wilson(0.0, 1)[0] == 0 and wilson(1.0, 1)[1] == 1


def test_as_text() -> None:
    assert score_text(5 / 6, wilson(5 / 6, 360)) == "83.33 % (79.1 to 86.8, 95 %)"
    assert score_text(5 / 6, wilson(5 / 6, 6)) == "83.33 % (43.6 to 97.0, 95 %)", "fewer samples, a wider interval"
    assert score_text(5 / 6, None) == "83.33 %"
