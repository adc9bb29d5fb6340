"""Builds killed and damaged at random, in full."""

import pytest

from tests.trials import builds, kills


@pytest.mark.slow
def test_a_killed_build_goes_on_to_the_same_artifacts() -> None:
    assert kills.main(kills.COUNT, 0) == 0


@pytest.mark.slow
def test_damaged_files_cost_time_alone() -> None:
    assert builds.main(builds.COUNT, 0) == 0
