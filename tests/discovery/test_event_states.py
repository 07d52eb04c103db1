"""What a camera says about itself over time, and how a slow one is known."""

import pytest

from discovery.event_states import MAX_STATES, EventStates, Latencies
from sources.onvif_notifications import DARK, STORAGE, TAMPER, Notification


def so(states: EventStates, now: float = 0.0) -> set[str]:
    return {kind for (kind, _sources), is_so in states.current(now) if is_so}


def test_one_source_does_not_end_what_another_one_says() -> None:
    states = EventStates()
    states.note([Notification(DARK, ("1",), True), Notification(DARK, ("2",), False)], 0.0)
    assert so(states) == {DARK}
    states.note([Notification(DARK, ("1",), False)], 1.0)
    assert so(states) == set()


def test_what_has_no_end_ends_after_ten_minutes() -> None:
    states = EventStates()
    states.note([Notification(TAMPER, (), True, is_momentary=True)], 0.0)
    assert (so(states, 599.0), so(states, 601.0)) == ({TAMPER}, set())


@pytest.mark.parametrize(
    ("held", "is_first", "kinds"),
    [((), True, set()), ((), False, {STORAGE}), ((STORAGE,), True, {STORAGE})],
    ids=["never inserted", "removed now", "failed before"],
)
def test_a_storage_that_is_not_there_has_to_have_been_there(
    held: tuple[str, ...], is_first: bool, kinds: set[str]
) -> None:
    states = EventStates(held)
    missing = Notification(STORAGE, ("SD",), True, is_first=is_first, needs_change=True)
    states.note([missing], 0.0)
    assert so(states) == kinds


def test_a_camera_that_tells_of_ever_new_things_fills_no_memory() -> None:
    states = EventStates()
    states.note([Notification(DARK, (str(n),), True) for n in range(3 * MAX_STATES)], 0.0)
    assert len(list(states.current(0.0))) == MAX_STATES


@pytest.mark.parametrize(
    ("before", "after", "is_slow"),
    [
        (0.05, [2.0, 2.0], False),
        (0.05, [2.0, 0.05, 2.0], True),
        (0.05, [2.0, 0.05, 0.05], False),
        (0.05, [0.4, 0.4, 0.4], False),
        (0.7, [2.0, 2.0, 2.0], False),
        (0.7, [3.0, 3.0, 3.0, 0.7, 0.7], False),
        (0.05, [8.0, 8.0, 8.0], True),
    ],
    ids=["too few", "usual", "once", "fast enough", "slow before", "over", "hung"],
)
def test_a_camera_is_slow_by_its_usual_answer_compared_with_before(
    before: float, after: list[float], is_slow: bool
) -> None:
    latencies = Latencies(before)
    for seconds in after:
        latencies.note(seconds)
    assert latencies.is_slow is is_slow
