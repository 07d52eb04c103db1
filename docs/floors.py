"""`make floors`: draw the packages in docs/architecture.md: their floors, and what each imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- floors: made by `make floors` -->\n", "<!-- end of floors -->\n"
FLOORS = {
    "store": 1,
    "settings": 1,
    "fleet": 2,
    "audit": 3,
    "sources": 4,
    "stills": 4,
    "accounts": 4,
    "inventory": 4,
    "picture_health": 4,
    "video": 4,
    "discovery": 5,
    "web/http": 6,
    "web/api": 7,
    "web/pages": 7,
    "web": 8,
    "serving": 8,
    "server": 8,
    "app": 9,
    "gunicorn.conf": 10,
    "video_worker": 10,
    "camera_child": 10,
    "commands": 10,
    "cli": 11,
}
"""The floor of each package: it imports packages on lower floors only, none beside it. The
drawing and `tests/test_layout.py` both read it here."""
PARTS_OF_FLEET = ("history", "database", "reduce", "edit")
"""The packages inside `fleet/`: each imports only those before it. Its own files use all."""
APART = {"bench", "deploy", "docs", "simulators", "tests"}
"""Not part of the product that runs."""


def name_of(path: Path) -> str:
    """The package that a file is part of, or the file itself where it is in none. Of `web`, each
    part is a package."""
    *folders, file = path.relative_to(ROOT).with_suffix("").parts
    depth = 2 if folders[:1] == ["web"] else 1
    return "/".join(folders[:depth]) or file


def packages() -> dict[str, list[Path]]:
    """The files of each package, and of each file beside the packages."""
    files: dict[str, list[Path]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        first = path.relative_to(ROOT).parts[0]
        if first not in APART and not first.startswith(".") and "migrations" not in path.parts:
            files.setdefault(name_of(path), []).append(path)
    return files


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def edges() -> dict[str, set[str]]:
    """The packages that each package imports."""
    known = packages()

    def package_of(module: str) -> str:
        parts = module.split(".")
        names = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((name for name in names if name in known), "")

    return {
        name: {package_of(module) for path in paths for module in imported(path)} - {name, ""}
        for name, paths in known.items()
    }


def purpose(name: str) -> str:
    """The first line of its docstring."""
    path = ROOT / name / "__init__.py"
    text = (path if path.exists() else ROOT / f"{name}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def drawing() -> str:
    """The floors as text, the highest first. Each package names all those that it imports.

    Raises ValueError for a package without a floor."""
    below = edges()
    if strangers := sorted(below.keys() - FLOORS.keys()):
        raise ValueError(f"no floor in FLOORS of docs/floors.py: {', '.join(strangers)}")
    width, lines = max(map(len, below)) + 2, list[str]()
    for name in sorted(below, key=lambda name: (-FLOORS[name], name)):
        lines.append(f"{FLOORS[name]:>2}  {name:{width}}{purpose(name)}")
        if below[name]:
            lower = ", ".join(sorted(below[name], key=lambda other: (-FLOORS[other], other)))
            lines.append(f"{'':{width + 4}}imports {lower}")
    return "\n".join(["```text", *lines, "```", ""])


def drawn_into(page: str) -> str:
    """The page with the drawing of now. Raises ValueError when it has no place for one."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no lines {BEGIN.strip()} and {END.strip()}")
    return before + begin + drawing() + end + after


def main() -> None:
    """Draw them."""
    try:
        PAGE.write_text(drawn_into(PAGE.read_text()))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
