"""Faults are found within N + 1 samples, and nothing is found in good pictures: on scenes that are
made up from seeds, and on photographs."""

import importlib.util

import pytest

if importlib.util.find_spec("cv2") is None:
    pytest.skip("OpenCV is not installed: PyPI has none for this machine", allow_module_level=True)

from tests.picture_health.photographs import NAMES, photograph_trials
from tests.picture_health.scenes import CONDITIONS
from tests.picture_health.trials import JUDGED_ON, Trial, trials


def wrong(results: list[Trial]) -> list[Trial]:
    return [trial for trial in results if trial.found != ({trial.fault} - {""})]


@pytest.mark.parametrize("seed", range(101, 101 + len(CONDITIONS)))
def test_each_condition_has_its_faults_found_and_no_others(seed: int) -> None:
    assert wrong(list(trials(seed))) == []


def test_faults_are_found_in_a_photograph() -> None:
    assert wrong(list(photograph_trials(("camera.png",), each=1))) == []


@pytest.mark.torture
def test_no_seed_that_judges_has_a_false_finding_or_a_missed_fault() -> None:
    assert wrong([trial for seed in JUDGED_ON for trial in trials(seed)]) == []


@pytest.mark.torture
def test_no_photograph_has_a_false_finding_or_a_missed_fault() -> None:
    assert wrong(list(photograph_trials(NAMES))) == []
