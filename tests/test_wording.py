"""Phrases that nobody says: not in templates, scripts, messages or documentation."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTSIDE = {".venv", ".git", "node_modules", "tests", "bench", "data", "media"}
REFUSED = (
    "asked everything",
    "be made anew",
    "be set anew",
    "Both stand in",
    "by turns",
    "camera needs you",
    "cameras need you",
    "closes the house",
    "closes this server",
    "could not ask everything",
    "counts nowhere",
    "database is away",
    "disk does not take it",
    "divided by commas",
    "empty: stays",
    "everything anew",
    "First it is shown",
    "for a family",
    "Forget what is too old",
    "half characters",
    "has everything in them",
    "house stands",
    "if it shall",
    "in no store",
    "It stands on",
    ">Leave it<",
    "Let time pass",
    ">Look at it<",
    "may not ask here",
    "may not do this",
    "names no machine",
    "never seen, check the number",
    "Nobody can change it here",
    "none answers",
    "none is to be asked",
    "not asked yet",
    "Nothing found? Check",
    "said apart from that",
    "said as such",
    "Send the name in the URL",
    "set it anew",
    "somebody's invention",
    "stands behind",
    "stands in row",
    "takes them anew",
    "The one that counts now",
    "The same again",
    "they stand behind",
    "this machine is let in",
    "through the cloud",
    "titles counts",
    "tried to change something here",
    ">Use it<",
    "waits no more",
    "were not taken",
    "What stands before it",
    ">What you may<",
    "Who is asked, and",
)


def texts() -> Iterator[tuple[str, str]]:
    """Each file that people read, and each string literal of the product, with its place."""
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT)
        if OUTSIDE.intersection(name.parts):
            continue
        if path.suffix in (".html", ".md", ".js"):
            yield str(name), path.read_text()
        elif path.suffix == ".py":
            yield from ((f"{name}:{line}", text) for line, text in messages(path.read_text()))


def messages(source: str) -> Iterator[tuple[int, str]]:
    """The string literals of a program with their lines, but for docstrings."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.lineno, node.value


def refused_in(text: str) -> list[str]:
    flat = " ".join(text.split()).lower()
    return [phrase for phrase in REFUSED if phrase.lower() in flat]


def test_no_text_has_a_refused_phrase() -> None:
    matches = {f"{place}: {phrase}" for place, text in texts() for phrase in refused_in(text)}
    assert matches == set()


@pytest.mark.parametrize(
    "source",
    [
        "print('It counts nowhere.')",
        "print(f'{name} counts nowhere')",
        "raise Refused('It counts '\n    'nowhere.')",
        "TEXT = '''It counts\nnowhere.'''",
    ],
)
def test_a_phrase_in_a_message_is_seen(source: str) -> None:
    assert ["counts nowhere"] in [refused_in(text) for _line, text in messages(source)]


def test_a_docstring_is_no_message() -> None:
    assert list(messages('def f():\n    """It counts nowhere."""\n')) == []
