"""The rules of the tree: floors, no import cycles, plain names, short files and functions."""

import ast
import statistics
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from docs.floors import FLOORS, PARTS_OF_FLEET
from tests.worst_cases import BEGINNINGS, ELSEWHERE, expressions
from web import application

ROOT = Path(__file__).parent.parent
WEB_FLOORS = {name.replace("/", "."): floor for name, floor in FLOORS.items() if "/" in name}
"""The packages inside `web/`; its own files are above all three."""
WITHOUT_FLOOR = {"simulators", "tests", "bench", "docs", "deploy"}
"""Folders with Python files that are no part of the program."""
MAY_READ_SETTINGS = {"app", "serving", "gunicorn.conf", "commands", "cli"}
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "helpers", "helper", "services", "managers"}
FORBIDDEN_SUFFIXES = ("Manager", "Handler", "Helper", "Util", "Utils")
HEAVY = {
    "aiohttp",
    "cv2",
    "av",
    "pandas",
    "openpyxl",
    "picamera2",
    "celery",
    "psutil",
    "apscheduler",
}
PAGE_SUFFIX = "_pages"
"""Behind the name of its file, in the name of a page's blueprint: the API has such files too."""
LONGEST_FILE = 600
LONGEST_FUNCTION = 60
MAX_APP = 200
"""Lines of `app.py`."""
MEDIAN_FUNCTION = 12
BROAD_EXCEPTS = {
    "camera_child.py": 1,
    "server/worker.py": 2,
    "discovery/inbox.py": 1,
    "discovery/outcomes.py": 1,
    "discovery/probing.py": 1,
    "discovery/lifecycle.py": 1,
    "discovery/listening.py": 1,
    "discovery/scanner.py": 2,
    "discovery/source_scans.py": 1,
    "discovery/scheduler.py": 2,
    "discovery/sweeping.py": 1,
    "fleet/history/journal.py": 1,
    "fleet/history/journal_readers.py": 1,
    "fleet/tracker.py": 2,
    "picture_health/sampler.py": 2,
    "store/apart.py": 1,
    "stills/taking.py": 1,
    "video/disk_calls.py": 1,
    "video/streams.py": 1,
    "video/due_watch.py": 1,
    "video/recorder.py": 1,
    "web/http/watchdog.py": 1,
}
"""Around sources, camera libraries, jobs and their clock, the end of each package, connections,
the deliveries to SQL, the readers of the journal, what one report or one write does to all the
others, what is told of a stream, the threads that record and that cut responses off, calls whose
errors are raised in another thread, and a process whose errors end with it."""


def _sources() -> list[Path]:
    packages = [ROOT / name for name in FLOORS if "/" not in name and (ROOT / name).is_dir()]
    files = [
        path
        for package in packages
        for path in package.rglob("*.py")
        if "migrations" not in path.parts
    ]
    return sorted(files + list(ROOT.glob("*.py")))


SOURCES = _sources()
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def of_each(paths: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make one test of a rule for files: it names every file that breaks the rule, and how. A test
    for each file and rule would be four thousand."""

    def of(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            complaints = []
            for path in paths:
                try:
                    rule(path)
                except AssertionError as error:
                    complaints.append(f"{_name(path)}: {error}")
            assert not complaints, "\n".join(complaints)

        test.__doc__ = rule.__doc__
        return test

    return of


@cache
def _imports(tree: ast.AST) -> tuple[tuple[str, bool], ...]:
    return tuple(_each_import(tree))


def _each_import(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(module, is at the top level of the file)"""
    top = {id(node) for node in getattr(tree, "body", [])}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written from the top"
            yield str(node.module), id(node) in top
            for name in node.names:
                yield f"{node.module}.{name.name}", id(node) in top


@of_each(SOURCES)
def test_a_package_imports_lower_floors_only(path: Path) -> None:
    package = _package(path)
    for module, _top in _imports(TREES[path]):
        other = module.split(".")[0]
        if other in FLOORS and other != package:
            assert FLOORS[other] < FLOORS.get(package, 0), f"{package} imports {module}"
        if other == "settings" and package != "settings":
            assert package in MAY_READ_SETTINGS, f"{package} reads the settings"


def test_every_package_has_a_floor() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/*.py")}
    assert folders - WITHOUT_FLOOR <= FLOORS.keys()
    parts = {f"web/{path.parent.name}" for path in ROOT.glob("web/*/*.py")}
    assert parts <= FLOORS.keys()


def test_every_floor_is_of_a_package_that_exists() -> None:
    missing = [
        name
        for name in FLOORS
        if not (ROOT / name / "__init__.py").exists() and not (ROOT / f"{name}.py").exists()
    ]
    assert missing == []


def _part_of_web(module: str) -> str:
    """The package inside `web/` that a module belongs to; `web` for its own files."""
    return ".".join(module.split(".")[:2]) if module.startswith(tuple(WEB_FLOORS)) else "web"


@of_each(sorted((ROOT / "web").rglob("*.py")))
def test_pages_and_api_stand_on_http_and_beside_each_other(path: Path) -> None:
    part = _part_of_web(_name(path).removesuffix(".py").replace("/", "."))
    for module, _top in _imports(TREES[path]):
        other = _part_of_web(module)
        if module.startswith("web.") and other != part:
            assert part == "web" or WEB_FLOORS.get(other, 9) < WEB_FLOORS[part], module


PARTS = [path for path in SOURCES if path.relative_to(ROOT).parts[:-2] == ("fleet",)]


@of_each(PARTS)
def test_a_part_of_the_fleet_imports_only_the_parts_before_it(path: Path) -> None:
    part = path.parent.name
    for module, _top in _imports(TREES[path]):
        package, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if package == "fleet" and other in PARTS_OF_FLEET and other != part:
            places = PARTS_OF_FLEET.index(other), PARTS_OF_FLEET.index(part)
            assert places[0] < places[1], f"fleet/{part} imports {module}"


def test_every_part_of_the_fleet_has_its_place() -> None:
    assert {path.parent.name for path in PARTS} == set(PARTS_OF_FLEET)


@of_each(sorted((ROOT / "commands").glob("*.py")))
def test_commands_know_of_the_web_part_only_how_to_reach_it(path: Path) -> None:
    for module, _top in _imports(TREES[path]):
        is_of_web = module.startswith("web.") and module != "web.control_client"
        assert not is_of_web, module


def test_imports_inside_a_package_make_no_circle() -> None:
    known = {_name(path).removesuffix(".py").replace("/", "."): path for path in SOURCES}
    graph = {
        module: {other for other, _top in _imports(TREES[path]) if other in known}
        for module, path in known.items()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"a circle: {' -> '.join((*trail, module))}"
        if module in done:
            return
        for other in graph[module] - {module}:
            visit(other, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


ONLY = {
    "flask": ("web/", "app.py"),
    "gunicorn": ("serving.py", "gunicorn.conf.py", "server/"),
    "apscheduler": ("discovery/scheduler.py",),
    "asyncio": ("sources/", "discovery/"),
    "sqlalchemy": ("store/", "_rows.py", "tables.py"),
    "prometheus_client": ("web/api/metrics.py",),
}


@of_each(SOURCES)
def test_each_library_is_imported_where_it_belongs(path: Path) -> None:
    name = _name(path)
    for module, _top in _imports(TREES[path]):
        places = ONLY.get(module.split(".")[0])
        if places and not _is_type_checking_only(TREES[path], module):
            assert any(name.startswith(place) or name.endswith(place) for place in places), module


FORMS_OF_THE_STORE = {"fleet.database.json_store", "store.json_file.JsonFile"}


@of_each(SOURCES)
def test_only_the_database_package_knows_the_form_of_the_store(path: Path) -> None:
    if not _name(path).startswith("fleet/database/"):
        assert FORMS_OF_THE_STORE.isdisjoint(module for module, _top in _imports(TREES[path]))


def _is_type_checking_only(tree: ast.Module, module: str) -> bool:
    inside = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    everywhere = [name for name, _top in _imports(tree)].count(module)
    guarded = sum([name for name, _top in _imports(node)].count(module) for node in inside)
    return everywhere == guarded


@of_each(SOURCES)
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    heavy = [name for name, top in _imports(TREES[path]) if top and name.split(".")[0] in HEAVY]
    assert not heavy


@of_each(SOURCES)
def test_nobody_below_the_top_reads_the_environment(path: Path) -> None:
    if FLOORS.get(_package(path), 0) < FLOORS["app"] and _package(path) != "settings":
        text = path.read_text()
        assert "os.environ" not in text
        assert "getenv" not in text


@of_each(SOURCES)
def test_names_say_what_a_thing_is(path: Path) -> None:
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(FORBIDDEN_SUFFIXES), node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert not node.name.startswith("get_"), node.name


@of_each(SOURCES)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_app_py_lists_packages_and_no_details() -> None:
    """Every package that builds something is there once; a new one costs two lines."""
    text = (ROOT / "app.py").read_text()
    assert len(text.splitlines()) < MAX_APP
    for path in sorted(ROOT.glob("*/build.py")):
        package = path.parent.name
        assert f"from {package}.build import " in text
        assert text.count(f" build_{package}") + text.count(f"(build_{package}(") == 2


@pytest.mark.parametrize("folder", ["api", "pages"])
def test_every_file_with_routes_is_registered(folder: str) -> None:
    """A file that `web/application.py` does not list answers nothing, and nothing says so."""
    modules = {"api": application.API, "pages": application.PAGES}[folder]
    listed = {module.__name__ for module in modules}
    files = (ROOT / "web" / folder).glob("*.py")
    routes = {path.stem for path in files if "Blueprint(" in path.read_text()}
    assert {f"web.{folder}.{stem}" for stem in routes} <= listed


def test_every_blueprint_has_a_name_of_its_own() -> None:
    """Flask refuses to start with two of one name, and says nothing of the files."""
    names = {module.__name__: module.bp.name for module in (*application.API, *application.PAGES)}
    for module, name in names.items():
        same = sorted(other for other, known in names.items() if known == name)
        assert same == [module], f"{' and '.join(same)} are both called {name!r}"
        expected = module.rpartition(".")[2] + (PAGE_SUFFIX if ".pages." in module else "")
        assert name == expected, f"{module}: call its blueprint {expected!r}"


def _functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node, (node.end_lineno or 0) - node.lineno + 1


def test_functions_are_short() -> None:
    lengths = []
    for path, node, length in _functions():
        lengths.append(length)
        assert length <= LONGEST_FUNCTION, f"{_name(path)}: {node.name} has {length} lines"
    assert statistics.median(lengths) <= MEDIAN_FUNCTION


@of_each(SOURCES)
def test_public_classes_and_files_say_what_they_promise(path: Path) -> None:
    tree = TREES[path]
    assert ast.get_docstring(tree), "the file has no docstring"


def test_a_broad_except_stands_only_where_it_is_allowed() -> None:
    counts: dict[str, int] = {}
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "BaseException"
                if caught in ("Exception", "BaseException"):
                    counts[_name(path)] = counts.get(_name(path), 0) + 1
    assert counts == BROAD_EXCEPTS


def test_simulators_import_nothing_of_ours() -> None:
    for path in (ROOT / "simulators").glob("*.py"):
        for module, _top in _imports(ast.parse(path.read_text())):
            assert module.split(".")[0] not in FLOORS, f"{path.name} imports {module}"
            assert module.split(".")[0] != "settings"


def test_migrations_import_nothing_of_ours() -> None:
    for path in (ROOT / "store" / "migrations").rglob("*.py"):
        for module, _top in _imports(ast.parse(path.read_text())):
            assert module.split(".")[0] not in FLOORS, f"{path.name} imports {module}"


def test_every_regular_expression_has_its_worst_texts():
    """A new one gets a line in tests/worst_cases.py: a text that leads as far into it as it can."""
    in_code = {
        (file, text)
        for file, text, _function, _flags in expressions()
        if file not in ELSEWHERE or (file, text) in BEGINNINGS
    }
    assert in_code == BEGINNINGS.keys()
