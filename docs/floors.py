"""`make floors`: draw the packages and their floors in docs/architecture.md, from the imports."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- floors: made by `make floors` -->\n", "<!-- end of floors -->\n"
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
    found: dict[str, list[Path]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        first = path.relative_to(ROOT).parts[0]
        if first not in APART and not first.startswith(".") and "migrations" not in path.parts:
            found.setdefault(name_of(path), []).append(path)
    return found


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

    def owner(module: str) -> str:
        parts = module.split(".")
        names = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((name for name in names if name in known), "")

    return {
        name: {owner(module) for path in paths for module in imported(path)} - {name, ""}
        for name, paths in known.items()
    }


def floors() -> dict[str, int]:
    """The floor of each package: one above the highest that it imports. Raises CycleError."""
    below, found = edges(), dict[str, int]()
    for name in TopologicalSorter(below).static_order():
        found[name] = 1 + max((found[one] for one in below[name]), default=0)
    return found


def purpose(name: str) -> str:
    """The first line of its docstring."""
    path = ROOT / name / "__init__.py"
    text = (path if path.exists() else ROOT / f"{name}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def drawing() -> str:
    """The floors as text, the highest first. Each package names all those that it imports."""
    below, levels = edges(), floors()
    width, lines = max(map(len, levels)) + 2, list[str]()
    for level in range(max(levels.values()), 0, -1):
        for name in sorted(name for name in levels if levels[name] == level):
            lines.append(f"{level:>2}  {name:{width}}{purpose(name)}")
            if below[name]:
                on = ", ".join(sorted(below[name], key=lambda one: (-levels[one], one)))
                lines.append(f"{'':{width + 4}}imports {on}")
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
