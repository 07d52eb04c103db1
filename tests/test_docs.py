"""The texts say what is true: options, sources, requests, commands and places exist as told."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli
from accounts import rights
from docs import floors
from settings import Settings
from simulators.panasonic import Camera
from sources.build import build_sources
from tests.home import (
    ROOT,
    Clock,
    Home,
    settings_in,
)
from tests.texts import DOCS, MAC, code, read, table
from web.http import authorization

Make = Callable[..., Home]


@pytest.fixture
def described(make_home: Make) -> dict[str, Any]:
    document: dict[str, Any] = make_home().client.get("/openapi.json").get_json()
    return document


# -- every text --------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_make_target_and_command_in_a_text_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for target in re.findall(r"(?:^ {4}|`|^[A-Z_=0-9 ]+)make ([a-z]+)", text, re.MULTILINE):
        assert target in targets, f"make {target}"
    for line in re.findall(r"python cli\.py ([^`\n]+)", text):
        wanted = shlex.split(line, comments=True)
        assert cli.parser().parse_args(wanted).command == wanted[0]


def test_the_readme_leads_to_every_text() -> None:
    readme = ROOT / "README.md"
    linked = re.findall(r"\]\(([\w./-]+\.md)", readme.read_text(encoding="utf-8"))
    assert set(DOCS) == {readme, *((ROOT / name).resolve() for name in linked)}


def test_the_commands_page_names_every_command() -> None:
    spans = map(str.split, code(read("docs/commands.md")))
    commands = {words[2] for words in spans if words[1:2] == ["cli.py"]}
    actions = [action.choices for action in cli.parser()._actions if action.dest == "command"]
    assert commands == set(actions[0] or {})


def test_the_development_page_names_every_place_and_every_make_target() -> None:
    text = read("docs/development.md")
    targets = {name for row in table(text, "command") for name in code(row[0])}
    offered = re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE)
    assert targets == {f"make {target}" for target in offered} - {"make help"}
    places = {place for row in table(text, "place") for place in code(row[0])}
    assert all((ROOT / place).exists() for place in places)
    packages = {f"{path.parent.name}/" for path in ROOT.glob("*/*.py")}
    files = {path.name for path in ROOT.glob("*.py")}
    assert (packages | files) <= places


# -- options -----------------------------------------------------------------------------


def test_the_readme_begins_on_a_machine_with_nothing_installed() -> None:
    install = read("README.md").partition("## Install\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in install.splitlines() if line.startswith("    ")]
    packages = next(line for line in lines if "apt install" in line).split()
    # make cannot say itself that it is missing.
    assert {"git", "make", "python3", "python3-venv"} <= set(packages)
    assert lines[-3:] == [
        "git clone <repository address> camera-monitor",
        "cd camera-monitor",
        "make run",
    ]


def test_the_settings_page_lists_every_option_with_its_default_and_help() -> None:
    rows = {code(row[0])[0]: row[1:3] for row in table(read("docs/settings.md"), "option")}
    expected = {}
    for name, option in Settings.model_fields.items():
        default = "" if option.default in (None, ()) else option.default
        if isinstance(default, bool):
            default = str(default).lower()
        expected[name.upper()] = [f"`{default}`" if default != "" else "", option.description]
    assert rows == expected


def test_the_settings_page_tells_the_bounds_of_every_number() -> None:
    rows = {code(row[0])[0]: row[3] for row in table(read("docs/settings.md"), "option")}
    for name, option in Settings.model_fields.items():
        assert rows[name.upper()]
        for bound in option.metadata:
            limit = getattr(bound, "ge", getattr(bound, "le", None))
            assert limit is None or str(limit) in rows[name.upper()], name


# -- sources -----------------------------------------------------------------------------


def test_the_sources_page_has_a_row_for_every_source(tmp_path: Path) -> None:
    built = build_sources(settings_in(tmp_path).select, Clock())
    rows = {code(row[0])[0]: row for row in table(read("docs/sources.md"), "name")}
    assert set(rows) == {source.name for source in built}, "docs/sources.md: a row for each"
    assert all(len(row) == 6 and all(row) for row in rows.values())


def test_the_sources_page_names_the_real_ports() -> None:
    row = next(row for row in table(read("docs/sources.md"), "name") if row[0] == "`panasonic`")
    options = Settings.model_fields
    ports = {str(options[name].default) for name in ("easy_ip_port", "easy_ip_reply_port")}
    assert set(re.findall(r"\d+", row[3])) == ports


# -- the API -----------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """The text below each `### METHOD /path` of the API page."""
    parts = re.split(r"^##+ (.+)$", read("docs/api.md"), flags=re.MULTILINE)
    titles = zip(parts[1::2], parts[2::2], strict=True)
    return {title: text for title, text in titles if re.match(r"[A-Z]+ /", title)}


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_the_api_page_has_exactly_the_routes_that_exist(described: dict[str, Any]) -> None:
    assert set(sections()) == set(operations(described)), "docs/api.md: a section for each"


def test_the_api_page_names_every_parameter_and_every_key_of_a_body(
    described: dict[str, Any],
) -> None:
    for route, operation in operations(described).items():
        text = sections()[route]
        documented = {name for row in table(text, "parameter") for name in code(row[0])}
        assert documented == {
            parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"
        }
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            model = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            assert set(model["properties"]) <= set(code(text)), (
                f"docs/api.md: name each key of the body under {route}"
            )


def test_the_api_page_names_every_key_of_every_answer(
    described: dict[str, Any], make_home: Make
) -> None:
    documented = set(code(read("docs/api.md")))
    for name, schema in described["components"]["schemas"].items():
        assert set(schema.get("properties", {})) <= documented, f"docs/api.md: each key of {name}"
    home = make_home(Camera(MAC, "127.20.0.9"), folder="scanned")
    did, jobs = home.scan(), home.client.get("/api/jobs").get_json()
    assert set(did) | set(did["sources"][0]) | set(jobs[0]) <= documented


def test_the_api_page_names_every_error_status(described: dict[str, Any]) -> None:
    documented = {row[0] for row in table(read("docs/api.md"), "status")}
    for route, operation in operations(described).items():
        assert set(operation["responses"]) - {"200", "201"} <= documented, route


def test_the_api_page_names_every_kind_of_event_and_finding() -> None:
    program = "\n".join(
        path.read_text() for package in ("fleet", "sources") for path in files_of(package)
    )
    kinds = set(
        re.findall(r'"((?:device|finding|source)\.[a-z]+|[a-z]+\.(?:unset|open|shared))"', program)
    )
    assert len(kinds) > 15
    assert kinds <= set(code(read("docs/api.md")))


def files_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_the_api_page_names_every_metric(make_home: Make) -> None:
    text = make_home().client.get("/metrics").get_data(as_text=True)
    names = set(re.findall(r"^# HELP (\w+)", text, re.MULTILINE))
    assert names == {metric for metric in code(sections()["GET /metrics"]) if metric in names}


def test_the_api_page_names_every_action_of_the_audit_log() -> None:
    program = "\n".join(path.read_text() for path in files_of("web"))
    actions = set(re.findall(r'\bnote\(\s*"([a-z.]+)"', program))
    assert len(actions) > 12
    documented = {action for row in table(read("docs/api.md"), "action") for action in code(row[0])}
    assert actions <= documented


# -- security ----------------------------------------------------------------------------


def test_the_security_page_has_a_row_for_every_action_with_who_may() -> None:
    expected = {}
    for row in table(read("docs/security.md"), "what"):
        for action in code(row[1]):
            assert action not in expected
            expected[action] = row[2:]
    assert expected == {action: cells(rule) for action, rule in rights.RULES.items()}


def cells(rule: rights.Rule) -> list[str]:
    """What the table says of a rule: the least role, the grant and the scope of a token."""
    role = "everybody" if rule.personal else rule.role
    if rule.reads:
        scope = "`read`"
    else:
        scope = "none" if rule.personal or rule.role == "admin" else "`operate`"
    grant = f"`{rule.level}`" if rule.level else "none"
    return [role, f"{grant} with `{rule.right}`" if rule.right else grant, scope]


def test_the_security_page_names_everything_that_is_open_to_strangers(make_home: Make) -> None:
    app = make_home().app
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    opened = {rule.rule for rule in rules if authorization.action_of(app, rule.endpoint) is None}
    documented = {url for row in table(read("docs/security.md"), "open") for url in code(row[0])}
    assert documented == opened | {"/static/"}


# -- architecture ----------------------------------------------------------------------------


def test_the_floors_are_drawn_as_the_imports_are() -> None:
    page = read("docs/architecture.md")
    assert floors.drawn_into(page) == page, "the imports have changed: run `make floors`"


def test_the_drawing_has_every_package_above_all_that_it_imports() -> None:
    levels, below, drawing = floors.FLOORS, floors.edges(), floors.drawing()
    assert {"app", "fleet", "store", "web/http"} <= levels.keys()
    assert "fleet" in below["discovery"]
    for name, others in below.items():
        assert all(levels[other] < levels[name] for other in others), name
        assert f"  {name} " in drawing


def test_a_page_without_a_place_for_the_drawing_is_refused() -> None:
    page = f"before\n{floors.BEGIN}old\n{floors.END}after\n"
    assert floors.drawn_into(page) == page.replace("old\n", floors.drawing())
    with pytest.raises(ValueError, match="has no lines"):
        floors.drawn_into("before\nafter\n")


def paths_in(page: str) -> set[str]:
    """The paths that a page names, in backticks or in a drawing: with a suffix or a slash."""
    drawings = "".join(re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    spans = [*re.findall(r"`([\w./-]+)`", page), *re.findall(r"(?<![\w/])[\w./-]+", drawings)]
    return {span for span in spans if re.search(r"\w/|\.(py|md|json|html|js|css|svg|xlsx)$", span)}


def test_every_path_that_the_architecture_names_is_there() -> None:
    named = paths_in(read("docs/architecture.md"))
    assert {"fleet/tracker.py", "fleet/reduce", "sources/", "camera_database.json"} <= named
    missing = {name for name in named if not (ROOT / name).exists()}
    assert missing == set()


@pytest.mark.parametrize(
    "page",
    [
        "See `fleet/absent`.",
        "See `fleet/absent/`.",
        "See `absent.py`.",
        "```text\n-- reduce |  fleet/absent, with\n```\n",
    ],
)
def test_a_path_is_seen_in_backticks_and_in_a_drawing(page: str) -> None:
    assert any("absent" in path for path in paths_in(page))
