"""Names in the code: no former name of docs/decisions.md 79, and none that says nothing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORMER = frozenset(
    [
        "ACCESS_LASTS",
        "AT_FAULT",
        "Courier",
        "DOWN_TEXT",
        "DoesNotFit",
        "END_WITHIN",
        "FIRST_LOOK",
        "FOR_EVER",
        "GuardedAnswer",
        "HEAD_AGAIN",
        "Hearsay",
        "House",
        "Hub",
        "Knower",
        "LOOK_EVERY",
        "NotThere",
        "OF_TWO",
        "PARENT_AGAIN",
        "SESSION_AGAIN",
        "SESSION_LASTS",
        "STATUS_WORDS",
        "SetAside",
        "Sight",
        "THROUGH_THE_CLOUD",
        "TOKEN_MARK",
        "Tickets",
        "TooManyReaders",
        "Unfit",
        "Unsound",
        "Utc",
        "WORST_FIRST",
        "WhyNot",
        "answers_of",
        "as_added",
        "ask_some",
        "build_house",
        "check_heard",
        "checked_key",
        "hear_again",
        "hours_of",
        "in_url",
        "known_again",
        "lock_of",
        "made_of",
        "make_first",
        "missing_in",
        "neutral_key",
        "no_secret",
        "note_uses",
        "of_form",
        "pair_of",
        "put_serial",
        "read_plain",
        "row_of",
        "run_house",
        "said_by",
        "saying_why",
        "tell_scan",
        "test_gate",
        "test_house",
        "why_not",
        "with_itself",
        "write_aside",
        "write_whole",
    ]
)
"""Those that are no ordinary words."""
SEARCHED = ("*.py", "*.md", "*.html", "*.js", "*.toml", "*.sh", "Makefile", "Dockerfile")
SKIPPED = {".venv", "node_modules", "data", "media", ".git"}
MAP = ROOT / "docs" / "decisions.md"
VAGUE = frozenset(["one", "found", "said", "told", "word", "who", "here"])
"""Say what it holds instead: camera, event, matches, message, status, user, host."""
EXCEPTIONS = {
    "audit/entry_rows.py": {"who"},
    "audit/model.py": {"who"},
    "discovery/progress.py": {"found"},
    "fleet/secret_columns.py": {"word"},
    "fleet/state.py": {"found"},
    "web/http/peer.py": {"word"},
    "web/http/shapes/audit.py": {"who"},
    "web/http/shapes/scans.py": {"found"},
}
"""JSON names of the API and the file, the fields behind them, and what is a word indeed."""


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


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each variable, parameter, function and class that the code binds, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.alias(asname=str(name)) | ast.MatchAs(name=str(name)):
                yield name, node.lineno


def test_no_variable_parameter_or_function_has_a_vague_name() -> None:
    vague = {
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in texts()
        if path.suffix == ".py"
        for name, line in bound_names(ast.parse(path.read_text()))
        if name in VAGUE - EXCEPTIONS.get(str(path.relative_to(ROOT)), set())
    }
    assert vague == set()


@pytest.mark.parametrize("file", EXCEPTIONS)
def test_an_exception_is_still_needed(file: str) -> None:
    names = {name for name, _line in bound_names(ast.parse((ROOT / file).read_text()))}
    assert EXCEPTIONS[file] <= names


@pytest.mark.parametrize(
    "code",
    [
        "one = 1",
        "one: int = 1",
        "one += 1",
        "def one(): pass",
        "async def one(): pass",
        "class one: pass",
        "def f(one): pass",
        "def f(*, one=1): pass",
        "def f(**one): pass",
        "lambda one: 1",
        "[1 for one in x]",
        "(one := 1)",
        "for a, one in x: pass",
        "with x as one: pass",
        "import x as one",
        "try: pass\nexcept OSError as one: pass",
        "match x:\n    case [1 as one]: pass",
    ],
)
def test_every_way_to_bind_a_name_is_seen(code: str) -> None:
    assert "one" in {name for name, _line in bound_names(ast.parse(code))}


@pytest.mark.parametrize("code", ["x.one()", "f(one=1)", "print(one)", "{'one': 1}", "x.one = 1"])
def test_a_use_of_a_name_is_no_binding(code: str) -> None:
    assert "one" not in {name for name, _line in bound_names(ast.parse(code))}
