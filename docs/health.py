"""`make health`: judge picture health on generated pictures, and write the result into
docs/picture-health.md."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from picture_health.judging import LIMITS
from picture_health.model import FAULTS
from tests.picture_health.photographs import EACH, photograph_trials
from tests.picture_health.strengths import BLURRED, COVERED, Counts, seen
from tests.picture_health.trials import JUDGED_ON, Trial, confusion, trials

PAGE = Path(__file__).with_name("picture-health.md")
BEGIN, END = "<!-- results: made by `make health` -->\n", "<!-- end of results -->\n"
COLUMNS = ("", *FAULTS)


def of_seed(seed: int) -> list[Trial]:
    cv2.setNumThreads(1)
    return list(trials(seed))


def main() -> None:
    """Judge, print and write; fails if the page has no place for it."""
    with ProcessPoolExecutor() as processes:
        generated = [trial for part in processes.map(of_seed, JUDGED_ON) for trial in part]
        strengths = sum(processes.map(seen, JUDGED_ON), Counter())
    results = "\n".join((*lines(generated, photograph_trials()), "", *needed(strengths)))
    print(results)
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{PAGE.name} has no lines {BEGIN.strip()} and {END.strip()}")
    PAGE.write_text(f"{before}{begin}\n{results}\n\n{end}{after}")


def lines(generated: list[Trial], photographs: Iterable[Trial]) -> Iterator[str]:
    """The tables, and what was missed in which condition."""
    yield f"Generated pictures, seeds {JUDGED_ON.start} to {JUDGED_ON.stop - 1}:"
    yield ""
    yield from table(confusion(generated))
    yield ""
    yield f"Missed or wrong: {'; '.join(exceptions(generated)) or 'none'}."
    yield ""
    yield f"Photographs, each in {EACH} conditions:"
    yield ""
    shown = list(photographs)
    yield from table(confusion(shown))
    yield ""
    yield f"Missed or wrong: {'; '.join(exceptions(shown)) or 'none'}."


def table(counts: Counter[tuple[str, str]]) -> Iterator[str]:
    yield f"| shown | {' | '.join(name or 'nothing found' for name in COLUMNS)} |"
    yield f"|---|{'---:|' * len(COLUMNS)}"
    for shown in COLUMNS:
        cells = (str(counts[shown, findings] or "") for findings in COLUMNS)
        yield f"| {shown or 'no fault'} | {' | '.join(cells)} |"


def needed(counts: Counts) -> Iterator[str]:
    """The table of how strong a fault must be."""
    yield f"Faults of {len(JUDGED_ON)} cameras by day, with a reference: how many one sample shows."
    yield ""
    yield f"| the picture | {' | '.join(LIMITS)} |"
    yield f"|---|{'---:|' * len(LIMITS)}"
    for part in COVERED:
        cells = (str(counts["covered", part, level]) for level in LIMITS)
        yield f"| {part:.0%} behind a grey cover | {' | '.join(cells)} |"
    for sigma in BLURRED:
        cells = (str(counts["blurred", sigma, level]) for level in LIMITS)
        yield f"| blurred by {sigma}/1000 of its width (sigma) | {' | '.join(cells)} |"


def exceptions(results: Iterable[Trial]) -> Iterator[str]:
    """How often something else was found than what was shown, by condition."""
    counts = Counter(
        (trial.fault or "no fault", trial.condition, ", ".join(sorted(trial.findings)) or "nothing")
        for trial in results
        if trial.findings != ({trial.fault} - {""})
    )
    for (shown, condition, findings), count in sorted(counts.items()):
        yield f"{shown} ({condition}) found as {findings}: {count}"


if __name__ == "__main__":
    main()
