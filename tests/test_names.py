"""The names of docs/decisions.md 79 have taken the places of the former ones everywhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORMER = frozenset(
    [
        "AT_FAULT",
        "Courier",
        "DoesNotFit",
        "Hearsay",
        "House",
        "Hub",
        "NotThere",
        "SetAside",
        "Sight",
        "Tickets",
        "TooManyReaders",
        "Unfit",
        "Unsound",
        "Utc",
        "WhyNot",
        "build_house",
        "make_first",
        "put_serial",
        "run_house",
        "saying_why",
        "test_gate",
        "test_house",
        "why_not",
    ]
)
"""Those that are no ordinary words."""
SEARCHED = ("*.py", "*.md", "*.html", "*.js", "*.toml", "*.sh", "Makefile", "Dockerfile")
SKIPPED = {".venv", "node_modules", "data", "media", ".git"}
MAP = ROOT / "docs" / "decisions.md"


def texts() -> list[Path]:
    paths = {path for pattern in SEARCHED for path in ROOT.rglob(pattern)}
    return sorted(
        path
        for path in paths - {MAP, Path(__file__), ROOT / "CHANGELOG.md"}
        if not SKIPPED.intersection(path.relative_to(ROOT).parts)
    )


def test_no_former_name_is_left() -> None:
    left = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in texts()
        for name in FORMER.intersection(re.findall(r"\w+", path.read_text(errors="replace")))
    }
    assert left == set()


@pytest.mark.parametrize("name", sorted(FORMER))
def test_every_former_name_is_in_the_map(name: str) -> None:
    table = MAP.read_text().partition("## 79. ")[2]
    assert re.search(rf"\b{name}\b", table)
