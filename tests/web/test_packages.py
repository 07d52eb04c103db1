"""The packages of the web part: the API and the pages stand side by side on what both share."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "web/http": ("web.api", "web.pages", "web.application"),
    "web/api": ("web.pages", "web.application"),
    "web/pages": ("web.api", "web.application"),
}


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, also inside functions and for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_in(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_the_api_and_the_pages_know_nothing_of_each_other(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert len(files) > 8
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files
        for module in imports(path)
        if any(is_in(module, package) for package in FORBIDDEN[folder])
    ]
    assert not wrong


def test_commands_know_nothing_of_the_web_part_but_how_to_reach_the_running_server() -> None:
    files = [ROOT / "cli.py", *sorted((ROOT / "commands").rglob("*.py"))]
    known = {module for path in files for module in imports(path) if is_in(module, "web")}
    assert known == {"web.control_client"}
