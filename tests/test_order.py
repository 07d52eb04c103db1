"""In which order the files of tests are handed out."""

from pathlib import Path

from tests.order import LONGEST, place_of

ROOT = Path(__file__).parent.parent


def test_the_longest_files_come_first_and_each_is_there() -> None:
    files = [str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_*.py")]
    assert tuple(sorted(files, key=place_of)[: len(LONGEST)]) == LONGEST
