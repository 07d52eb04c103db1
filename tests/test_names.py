"""Names in the code: no former name of docs/decisions.md 79, and none that says nothing."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

ROOT = Path(__file__).parent.parent
FORMER = frozenset(
    [
        "ACCESS_LASTS",
        "AT_FAULT",
        "Courier",
        "DOWN_TEXT",
        "DoesNotFit",
        "Drawn",
        "END_WITHIN",
        "FIRST_LOOK",
        "FOR_EVER",
        "GuardedAnswer",
        "HEAD_AGAIN",
        "Hearsay",
        "House",
        "Hub",
        "Knower",
        "LAST_WORD",
        "LOOK_EVERY",
        "MAX_AT_ONCE",
        "Masked",
        "NotThere",
        "OF_TWO",
        "PARENT_AGAIN",
        "SESSION_AGAIN",
        "SESSION_LASTS",
        "SOON",
        "STATUS_WORDS",
        "Said",
        "SetAside",
        "Sight",
        "THROUGH_THE_CLOUD",
        "TOKEN_MARK",
        "TOLD",
        "Tickets",
        "Tidied",
        "TooManyReaders",
        "UNREAD",
        "Unfit",
        "Unsound",
        "Unusable",
        "Utc",
        "WORST_FIRST",
        "WhyNot",
        "answers_of",
        "as_added",
        "ask_some",
        "audit_rows",
        "base_of",
        "build_house",
        "check_heard",
        "checked_key",
        "column_of",
        "easy4ip_judge",
        "hear_again",
        "hearsay",
        "hours_of",
        "in_force",
        "in_url",
        "is_bound",
        "is_foreign",
        "is_right",
        "known_again",
        "lock_of",
        "made_of",
        "make_first",
        "missing_in",
        "neutral_key",
        "no_secret",
        "note_uses",
        "of_access",
        "of_form",
        "on_lines",
        "on_serials",
        "open_house",
        "pair_of",
        "put_serial",
        "read_on",
        "read_plain",
        "row_of",
        "run_house",
        "said_by",
        "saying_why",
        "site_pages",
        "start_house",
        "status_words",
        "stop_house",
        "table_of_jobs",
        "tell_scan",
        "test_fold",
        "test_gate",
        "test_house",
        "tickets",
        "tidied",
        "too_many",
        "upload_losses",
        "user_pages",
        "where_it_is",
        "why_not",
        "with_itself",
        "with_texts",
        "workbook_file",
        "workbook_rows",
        "workbook_text",
        "write_aside",
        "write_whole",
    ]
)
"""Those that are no ordinary words."""
SEARCHED = ("*.py", "*.md", "*.html", "*.js", "*.toml", "*.sh", "Makefile", "Dockerfile")
SKIPPED = {".venv", "node_modules", "data", ".git"}
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
    "web/pages/nouns.py": {"one"},
}
"""JSON names of the API and the file, the fields behind them, and what is a word indeed."""


Names = Callable[[str], Iterator[str]]


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
    assert left == set(), "former names: docs/decisions.md 79 has the new ones"


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
    assert vague == set(), (
        "these names do not say what they hold: use one like device, user, matches, text, message, "
        "status or address. A JSON name that people use goes into EXCEPTIONS of tests/test_names.py"
    )


def template_names(text: str) -> Iterator[str]:
    """Each variable, macro and argument that the template sets or is given."""
    tree = jinja2.Environment(autoescape=True).parse(text)
    for node in tree.find_all((nodes.Name, nodes.Macro, nodes.Import, nodes.FromImport)):
        match node:
            case nodes.Name(name=name) | nodes.Macro(name=name):
                yield name
            case nodes.Import(target=name):
                yield name
            case nodes.FromImport(names=names):
                yield from (name if isinstance(name, str) else name[1] for name in names)


SCRIPT_NAMES = (
    r"\b(?:const|let|var|function|class|catch \()\s*([\w$]+)",
    r"\b(?:const|let|var)\s*[\[{]([^=]*?)[\]}]\s*(?:=|of\b)",
    r"\bfunction\b[^(]*\(([^)]*)\)",
    r"([\w$]+)\s*=>",
    r"\(([^()]*)\)\s*=>",
)
"""One name, names in brackets, parameters of a function and of an arrow."""


def script_names(text: str) -> Iterator[str]:
    """Each name that a script declares."""
    for pattern in SCRIPT_NAMES:
        for names in re.findall(pattern, text):
            yield from re.findall(r"[\w$]+", names)


@pytest.mark.parametrize(
    ("folder", "names"), [("templates", template_names), ("static", script_names)]
)
def test_no_template_or_script_has_a_vague_name(folder: str, names: Names) -> None:
    paths = [path for path in texts() if path.is_relative_to(ROOT / folder)]
    assert paths
    vague = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in VAGUE.intersection(names(path.read_text()))
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


@pytest.mark.parametrize(
    "template",
    [
        "{{ one }}",
        "{% for one in x %}{% endfor %}",
        "{% for a, one in x %}{% endfor %}",
        "{% set one = 1 %}",
        "{% set one %}text{% endset %}",
        "{% with one = 1 %}{% endwith %}",
        "{% macro one() %}{% endmacro %}",
        "{% macro f(one) %}{% endmacro %}",
        "{% import 'x' as one %}",
        "{% from 'x' import one %}",
        "{% from 'x' import y as one %}",
        "{% call(one) f() %}{% endcall %}",
    ],
)
def test_every_name_of_a_template_is_seen(template: str) -> None:
    assert "one" in set(template_names(template))


@pytest.mark.parametrize("template", ["one", "{{ x.one }}", "{{ 'one' }}", "{{ f(one=1) }}"])
def test_text_and_attributes_of_a_template_are_no_names(template: str) -> None:
    assert "one" not in set(template_names(template))


@pytest.mark.parametrize(
    "script",
    [
        "const one = 1;",
        "let one;",
        "for (const one of list) {}",
        "const [a, one] = list;",
        "const { a, one } = object;",
        "const { a: one } = object;",
        "for (const [one, b] of pairs) {}",
        "function one() {}",
        "async function f(a, one) {}",
        "list.map((one) => 1);",
        "list.map(one => 1);",
        "list.map((a, one) => 1);",
        "try {} catch (one) {}",
    ],
)
def test_every_name_of_a_script_is_seen(script: str) -> None:
    assert "one" in set(script_names(script))


@pytest.mark.parametrize("script", ["f(x.one);", 'add("one");', "// one\nf();"])
def test_text_and_attributes_of_a_script_are_no_names(script: str) -> None:
    assert "one" not in set(script_names(script))
