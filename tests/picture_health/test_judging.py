"""The rules by which samples become faults: a table of measures, and samples in a row."""

from dataclasses import replace

import pytest

from picture_health.judging import LIMITS, Course, descriptors, faults_of, is_expected, judged
from picture_health.model import Comparison, Fault, Level, Measures, Reference, Sample

GOOD = Measures(
    brightness=110,
    dark=0.0,
    structure=0.8,
    layout=30,
    sharpness=1.6,
    edges=0.7,
    sharpest=1.8,
)
SOFT = replace(GOOD, sharpness=1.05, sharpest=1.3)
SAME_VIEW = Comparison(
    alive=0.98,
    unchanged=0.02,
    difference=3,
    lost=0.05,
    held=0.8,
    agreement=0.9,
    compared=0.7,
    sharpness=0.97,
)
SOFTENED = replace(SAME_VIEW, sharpness=0.3)
REFERENCE = Reference(GOOD, b"reference")
BARE = replace(GOOD, structure=0.0, sharpness=0.0, edges=0.0)
BLACK = replace(GOOD, dark=1.0, structure=0.0, layout=0.5, sharpness=0.0, edges=0.0)


def sample(
    measures: Measures = GOOD,
    since: Comparison | None = SAME_VIEW,
    beside: Comparison | None = SAME_VIEW,
) -> Sample:
    return Sample(measures, b"now", (since, beside))


@pytest.mark.parametrize(
    ("pictured", "expected"),
    [
        (sample(), set()),
        (sample(BLACK), {"black"}),
        # One lamp in a yard at night.
        (sample(replace(GOOD, dark=111 / 112)), set()),
        # A black picture does not change either; black says more.
        (sample(BLACK, since=replace(SAME_VIEW, unchanged=1.0)), {"black"}),
        (sample(since=replace(SAME_VIEW, unchanged=0.95)), {"frozen"}),
        # The first sample has nothing before it.
        (sample(since=None), set()),
        # All white: noise cannot show, so nothing says that it is frozen.
        (sample(since=replace(SAME_VIEW, unchanged=1.0, alive=0.1)), set()),
        (sample(SOFT, beside=SOFTENED), {"blurred"}),
        # Glare is soft, but the edges that the reference shows are as sharp as ever.
        (sample(SOFT), set()),
        # So are some that the reference does not show.
        (sample(replace(SOFT, sharpest=1.7), beside=SOFTENED), set()),
        # All that can be seen is much softer, whatever noise makes of a few blocks.
        (sample(replace(SOFT, sharpest=1.2)), {"blurred"}),
        # Next to nothing is in its old place, and all of it is soft.
        (sample(SOFT, beside=replace(SAME_VIEW, sharpness=None)), {"blurred"}),
        # Too few edges to say how sharp they are.
        (
            sample(replace(SOFT, edges=0.02), beside=replace(SOFTENED, compared=0.2)),
            set(),
        ),
        (sample(BARE, beside=replace(SAME_VIEW, lost=0.9)), {"covered"}),
        # It shows some edges, and none of those that it has lost.
        (
            sample(
                replace(GOOD, structure=0.3, edges=0.2),
                beside=replace(SAME_VIEW, lost=0.9, agreement=0.1),
            ),
            {"moved"},
        ),
        # A bag hides most of it, and what is left is in its old place.
        (
            sample(replace(GOOD, structure=0.2, edges=0.2), beside=replace(SAME_VIEW, lost=0.9)),
            {"covered"},
        ),
        # Its edges are still there: it shows something else.
        (sample(beside=replace(SAME_VIEW, lost=0.9)), set()),
        # A reference of an empty wall has nothing to lose.
        (sample(beside=replace(SAME_VIEW, lost=1.0, held=0.1)), set()),
        (sample(beside=replace(SAME_VIEW, agreement=0.1)), {"moved"}),
        # A window further along a front, most of it looks as before.
        (sample(beside=replace(SAME_VIEW, agreement=0.7, in_place=0.2)), {"moved"}),
        # At night a few lit edges are not enough to say so.
        (sample(beside=replace(SAME_VIEW, agreement=0.1, compared=0.03)), set()),
        # What is blurred or covered is not called moved as well.
        (
            sample(SOFT, beside=replace(SOFTENED, agreement=0.4)),
            {"blurred"},
        ),
        (sample(BARE, beside=replace(SAME_VIEW, lost=0.9, agreement=0)), {"covered"}),
        # A soft picture of another place.
        (
            sample(SOFT, beside=replace(SOFTENED, agreement=0)),
            {"moved"},
        ),
        # Soft beyond edges, but in its old place.
        (sample(replace(GOOD, edges=0.01, sharpness=0.0)), {"blurred"}),
        (
            sample(since=replace(SAME_VIEW, unchanged=1), beside=replace(SAME_VIEW, agreement=0)),
            {"frozen", "moved"},
        ),
    ],
)
def test_what_one_picture_shows(pictured: Sample, expected: set[Fault]) -> None:
    assert faults_of(pictured, [REFERENCE], LIMITS["normal"]) == expected


def test_without_a_reference_only_a_bare_picture_is_covered_and_none_is_moved() -> None:
    bare = replace(BARE, layout=2.0)
    for measures, expected in ((bare, {"covered"}), (replace(bare, layout=40.0), set())):
        pictured = Sample(measures, b"now", (SAME_VIEW,))
        assert faults_of(pictured, [], LIMITS["normal"]) == expected


def test_a_picture_as_plain_as_one_of_its_references_is_normal() -> None:
    """By night an empty wall: the reference by day alone would call it covered."""
    by_night = Reference(BARE, b"by night")
    lost = replace(SAME_VIEW, lost=0.95, agreement=0, difference=60)
    for difference, expected in ((3, set()), (60, {"covered"})):
        plain = replace(SAME_VIEW, held=0.0, compared=0.0, difference=difference)
        pictured = Sample(replace(BARE, layout=2), b"now", (SAME_VIEW, lost, plain))
        assert faults_of(pictured, [REFERENCE, by_night], LIMITS["normal"]) == expected


def test_a_reference_that_is_soft_itself_tells_no_blurred_picture() -> None:
    pictured = sample(replace(SOFT, sharpest=1.0), beside=SOFTENED)
    for sharpness, expected in ((1.19, set()), (1.3, {"blurred"})):
        reference = Reference(replace(GOOD, sharpness=sharpness), b"reference")
        assert faults_of(pictured, [reference], LIMITS["normal"]) == expected


@pytest.mark.parametrize(
    ("sharpest", "kept", "expected"),
    [
        (1.7, 0.3, set()),
        # A few sharp blocks are noise where all that both show is far softer, and else they count.
        (1.65, 0.3, {"blurred"}),
        (1.65, 0.6, set()),
        (1.55, 0.6, {"blurred"}),
    ],
)
def test_a_sharp_picture_is_not_blurred_however_sharp_its_reference_is(
    sharpest: float, kept: float, expected: set[Fault]
) -> None:
    very_sharp = Reference(replace(GOOD, sharpness=2.4), b"reference")
    pictured = sample(replace(GOOD, sharpest=sharpest), beside=replace(SAME_VIEW, sharpness=kept))
    assert faults_of(pictured, [very_sharp], LIMITS["normal"]) == expected


def test_a_picture_that_is_like_one_of_two_references_is_normal() -> None:
    moved = replace(SAME_VIEW, agreement=0.1)
    references = [REFERENCE, Reference(GOOD, b"by night")]
    for comparisons, expected in (((moved, SAME_VIEW), set()), ((moved, moved), {"moved"})):
        pictured = Sample(GOOD, b"now", (SAME_VIEW, *comparisons))
        assert faults_of(pictured, references, LIMITS["normal"]) == expected


# -- samples in a row ---------------------------------------------------------------------------


def after(*samples: Sample | None, level: Level = "normal") -> Course:
    course = Course()
    for each in samples:
        course = judged(course, each, [REFERENCE], level)
    return course


@pytest.mark.parametrize(("level", "in_a_row"), [("low", 5), ("normal", 3), ("high", 2)])
def test_a_fault_is_found_after_as_many_samples_in_a_row(level: Level, in_a_row: int) -> None:
    black = sample(BLACK)
    early = after(*[black] * (in_a_row - 1), level=level)
    assert (early.health, early.findings) == ("suspected", frozenset())
    late = after(*[black] * in_a_row, level=level)
    assert (late.health, late.findings) == ("faulty", {"black"})


def test_a_good_sample_between_begins_the_row_again() -> None:
    black = sample(BLACK)
    assert after(black, black, sample(), black, black).findings == frozenset()


def test_a_fault_ends_after_as_many_good_samples_in_a_row() -> None:
    black = [sample(BLACK)] * 3
    assert after(*black, sample(), sample()).findings == {"black"}
    assert after(*black, sample(), sample(BLACK), sample(), sample()).findings == {"black"}
    ended = after(*black, sample(), sample(), sample())
    assert (ended.health, ended.findings) == ("healthy", frozenset())


def test_a_picture_ends_no_fault_that_it_cannot_show() -> None:
    """Otherwise a camera that was turned would be found again each morning."""
    moved = sample(beside=replace(SAME_VIEW, agreement=0.1))
    covered = sample(BARE, beside=replace(SAME_VIEW, lost=0.9))
    by_night = sample(beside=replace(SAME_VIEW, compared=0.03))
    for hiding in (sample(BLACK), covered, by_night, sample(SOFT, beside=SOFTENED)):
        assert "moved" in after(*[moved] * 3, *[hiding] * 5).findings
        assert after(*[moved] * 3, *[hiding] * 5, *[sample()] * 3).findings == frozenset()
    assert after(*[covered] * 3, *[sample(BLACK)] * 5).findings == {"covered", "black"}
    assert after(*[sample(BLACK)] * 3, *[covered] * 3).findings == {"covered"}


def test_without_a_newest_sample_the_health_is_unknown_and_never_healthy() -> None:
    assert after().health == "unknown"
    assert after(sample(), None).health == "unknown"
    black = sample(BLACK)
    interrupted = after(black, black, None)
    assert (interrupted.health, interrupted.findings) == ("unknown", frozenset())
    assert after(black, black, None, black).findings == {"black"}
    lost = after(black, black, black, None)
    assert (lost.health, lost.findings) == ("unknown", {"black"})


def test_a_frozen_picture_is_compared_with_the_one_at_which_it_stopped() -> None:
    """Each compared with the one before it would miss light that changes slowly."""
    still = replace(SAME_VIEW, unchanged=1.0)
    first = judged(Course(), replace(sample(), descriptor=b"first"), [REFERENCE], "normal")
    assert descriptors(first, [REFERENCE]) == (b"first", b"reference")
    second = judged(first, sample(since=still), [REFERENCE], "normal")
    assert descriptors(second, []) == (b"first",)
    assert judged(second, sample(), [REFERENCE], "normal").anchor == b"now"


def test_an_expected_picture_is_one_that_shows_the_same() -> None:
    assert is_expected(SAME_VIEW)
    assert is_expected(replace(SAME_VIEW, compared=0.0, agreement=0.0))  # a plain card
    assert not is_expected(replace(SAME_VIEW, difference=40))
    assert not is_expected(replace(SAME_VIEW, agreement=0.2))
