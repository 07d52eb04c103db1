"""Every JSON name of the API is decided in one place: the shapes."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("accounts", "audit", "commands", "discovery", "fleet", "inventory", "sources", "web")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
BODIES = {"Strict", "Query"}
"""The base classes of request bodies and query strings in `web.http.payloads`."""

STORED = {"fleet/state.py"}
"""What describes a part of the database file, and nothing of the API."""


def is_shape(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return name in STORED or name == "fleet/shapes.py" or name.startswith("web/http/shapes/")


def bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def typed_dicts(tree: ast.AST) -> list[str]:
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        *(node.name for node in classes if "TypedDict" in bases(node)),
        *(ast.unparse(call) for call in calls if ast.unparse(call.func).endswith("TypedDict")),
    ]


def test_the_shapes_are_found_where_they_are_looked_for() -> None:
    shapes = [path for path in FILES if is_shape(path)]
    names = [name for path in shapes for name in typed_dicts(ast.parse(path.read_text()))]
    assert {"CameraRow", "EventRow", "UserRow", "ErrorBody"} <= set(names)
    assert any(name.startswith("TypedDict('DvrRow'") for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_json_of_the_api_is_described_in_the_shapes_only(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if is_shape(path):
        return
    assert not typed_dicts(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "web" in path.parts:
            assert not bases(node) & BODIES, f"{node.name} belongs in the shapes"


ANSWERING = [
    *sorted((ROOT / "web" / "api").glob("*.py")),
    ROOT / "web" / "http" / "broadcaster.py",
    ROOT / "web" / "http" / "errors.py",
    ROOT / "commands" / "recorders.py",
    ROOT / "web" / "pages" / "live.py",
]
"""The files that send JSON."""


def json_names(tree: ast.AST) -> list[str]:
    """The text keys of every dict that is written out, but for HTTP headers."""
    literals = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("dict", "jsonify")
    ]
    keys = [key for node in literals for key in node.keys if isinstance(key, ast.Constant)]
    names = [key.value for key in keys if isinstance(key.value, str)] + [
        str(keyword.arg) for call in calls for keyword in call.keywords
    ]
    return [name for name in names if not re.fullmatch(r"([A-Z][a-z]+)(-[A-Z][a-z]+)+", name)]


def test_a_written_out_answer_is_noticed() -> None:
    tree = ast.parse(
        'respond({"success": True, "Retry-After": "60"}, dict(count=1), jsonify(hint=""))'
    )
    assert json_names(tree) == ["success", "count", "hint"]


@pytest.mark.parametrize("path", ANSWERING, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_answers_takes_its_json_from_the_shapes(path: Path) -> None:
    assert json_names(ast.parse(path.read_text())) == []
