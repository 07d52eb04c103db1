"""The commands, each run as a person or a script runs it: a process of its own."""

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulators.panasonic import Camera, Network
from tests.home import ROOT, Clock, Home, Running
from tests.warm_start import popen

FORMULA = '=HYPERLINK("x")'
FORMS = ("json", "csv", "table")
DAY = timedelta(days=1)


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def csv(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))

    @property
    def complaint(self) -> str:
        """What a failed command says: one paragraph, and never a stack."""
        assert self.code != 0
        assert "Traceback" not in self.err
        assert len(self.err.splitlines()) == 1, self.err
        return self.err


class Place(Running):
    """A folder with its own ports and pretend cameras; a monitor only runs after `start()`."""

    def __init__(self, folder: Path, *cameras: Camera, **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, **environment)
        self.network = Network(
            list(cameras),
            listen=("127.0.0.1", int(self.environment["EASY_IP_PORT"])),
            reply_to=("127.0.0.1", int(self.environment["EASY_IP_REPLY_PORT"])),
        )

    @property
    def database(self) -> Path:
        return self.folder / "camera_database.json"

    def begin(
        self, *arguments: str, stdout: int = subprocess.PIPE, **more: str
    ) -> Callable[[], Result]:
        """Start a command; what comes back waits for its end."""
        process = popen(
            [sys.executable, "cli.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **more},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

        def result() -> Result:
            out, err = process.communicate(timeout=60)
            return Result(process.returncode, out or "", err)

        return result

    def cli(self, *arguments: str, **more: str) -> Result:
        return self.begin(*arguments, **more)()


Scanned = dict[str, tuple[Place, Result]]


def cameras() -> list[Camera]:
    return [
        Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate"),
        Camera("d4:2d:c5:00:00:02", "127.20.0.10", FORMULA),
        Camera("d4:2d:c5:00:00:03", "127.20.0.11", family="NX"),
    ]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, *cameras())
    with place.network:
        yield place
    if place.process is not None and place.process.poll() is None:
        place.kill()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A database with a past: Gate has moved, Yard is offline, Shed missing, Old retired."""
    folder = tmp_path_factory.mktemp("known")
    names = ("Gate", "Yard", "Shed", FORMULA, "Old")
    crowd = [
        Camera(f"d4:2d:c5:00:00:{n:02x}", f"127.20.0.{8 + n}", name)
        for n, name in enumerate(names, start=1)
    ]
    clock, now = Clock(), datetime.now(UTC)
    clock.now = now - 3 * DAY
    home = Home(folder, clock, *crowd)
    try:
        home.scan()
        home.client.post("/api/camera/5/retire")
        crowd[2].on = crowd[4].on = False
        clock.now = now - timedelta(hours=2)
        home.scan()
        crowd[0].ip, crowd[1].on = "127.20.0.200", False
        clock.now = now - timedelta(hours=1)
        home.scan()
    finally:
        home.close()
    return Place(folder)


def original(folder: Path) -> bytes:
    """A database of the original tracker: one camera of yesterday, one of half a year ago."""
    rows = {}
    for mac, name, days in (("d4:2d:c5:14:c5:70", "Lobby", 1), ("d4:2d:c5:14:c5:71", "Attic", 180)):
        seen = (datetime.now() - days * DAY).isoformat()  # noqa: DTZ005 - local, without offset
        rows[mac] = {
            "mac_address": mac,
            "camera_name": name,
            "current_ip": "192.168.0.10",
            "current_port": 80,
            "first_seen": seen,
            "last_seen": seen,
            "ip_history": [{"ip": "192.168.0.10", "timestamp": seen, "previous_ip": None}],
            "total_discoveries": 12,
            "seen_in_last_discovery": days == 1,
        }
    data = json.dumps(rows, indent=2).encode()
    (folder / "camera_database.json").write_bytes(data)
    return data


# -- discover and scan -------------------------------------------------------------------


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """Commands that listen for four seconds, each in a place of its own, all at once."""
    folder = tmp_path_factory.mktemp("scanned")
    with ExitStack() as stack:
        places = {}
        for line in (*(f"discover -v --{form}" for form in FORMS), "discover", "scan --json"):
            crowd = cameras() if line != "discover" else []
            places[line] = Place(folder / line.replace(" ", ""), *crowd)
            stack.enter_context(places[line].network)
        ends = {line: place.begin(*line.split()) for line, place in places.items()}
        return {line: (places[line], end()) for line, end in ends.items()}


@pytest.mark.parametrize("form", FORMS)
def test_discover_shows_who_answers_and_keeps_nothing(scanned: Scanned, form: str) -> None:
    place, result = scanned[f"discover -v --{form}"]
    assert result.code == 0
    assert "12 requests on lo, 36 responses, 3 devices" in result.err
    macs = [camera.mac for camera in cameras()]
    if form == "table":
        head, *lines = result.out.splitlines()
        assert head.split()[:3] == ["STATUS", "NAME", "ADDRESS"]
        assert [mac in line for mac, line in zip(macs, lines, strict=True)] == [True] * 3
    else:
        assert [row["mac_address"] for row in getattr(result, form)] == macs
    assert not place.database.exists()


def test_discover_without_any_answer_ends_with_1(scanned: Scanned) -> None:
    _place, result = scanned["discover"]
    assert (result.code, len(result.out.splitlines()), result.err) == (1, 1, "")


def test_scan_without_a_monitor_remembers_by_itself(scanned: Scanned) -> None:
    place, result = scanned["scan --json"]
    assert (result.code, result.json["found"], result.json["missed"]) == (0, 3, 0)
    kept = place.cli("list", "--json").json
    assert {row["mac_address"] for row in kept} == {camera.mac for camera in cameras()}


def test_discover_on_a_taken_port_ends_with_3_and_says_what_to_do(place: Place) -> None:
    port = int(place.environment["EASY_IP_REPLY_PORT"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", port))
        discovered, scanned = place.begin("discover"), place.begin("scan")
        for result in (discovered(), scanned()):
            assert result.code == 3
            assert f"UDP port {port} cannot be opened: another program uses" in result.complaint
            assert "Stop it" in result.complaint


def test_with_a_running_monitor_commands_ask_the_monitor(place: Place) -> None:
    place.start()
    assert place.cli("scan").out == "3 online, 0 not responding\n"
    assert place.get("/api/stats").json["active"] == 3
    place.network.cameras[0].on = False
    result = place.cli("discover", "--json")
    assert {row["mac_address"] for row in result.json} == {c.mac for c in cameras()[1:]}
    assert place.get("/api/camera/1").json["status"] == "OFFLINE"
    assert place.cli("stats", "--json").json == place.get("/api/stats").json
    assert place.stop() == 0
    assert "Traceback" not in place.text()


# -- what only reads ---------------------------------------------------------------------


LISTS = {
    "": [FORMULA, "Gate", "Shed", "Yard"],
    "--status active": [FORMULA, "Gate"],
    "--status ip_changed": ["Gate"],
    "--status offline": ["Yard"],
    "--status missing": ["Shed"],
    "--search yar": ["Yard"],
    "--search D4-2D-C5-00-00-03": ["Shed"],
    "--retired": ["Old"],
    "--sort=-address": ["Gate", FORMULA, "Shed", "Yard"],
}


@pytest.mark.parametrize("filters", LISTS)
def test_list_shows_what_fits(known: Place, filters: str) -> None:
    result = known.cli("list", "--json", *filters.split())
    assert result.code == 0
    assert [row["camera_name"] for row in result.json] == LISTS[filters]


def test_list_without_a_match_ends_with_1(known: Place) -> None:
    result = known.cli("list", "--json", "--search", "nowhere")
    assert (result.code, result.json, result.err) == (1, [], "")


def test_list_neutralises_cells_that_a_spreadsheet_would_run(known: Place) -> None:
    rows = known.cli("list", "--csv").csv
    assert [row["camera_name"] for row in rows] == [f"'{FORMULA}", "Gate", "Shed", "Yard"]
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_stats_counts_what_list_lists(known: Place) -> None:
    counts = known.cli("stats", "--json").json
    shown = {key: counts[key] for key in ("total", "active", "offline", "missing", "ip_changed")}
    assert shown == {"total": 4, "active": 2, "offline": 1, "missing": 1, "ip_changed": 1}
    lines = dict(line.split() for line in known.cli("stats").out.splitlines())
    assert (lines["total_cameras"], lines["missing"]) == ("4", "1")


def test_history_takes_a_mac_in_any_spelling_or_the_number(known: Place) -> None:
    spellings = ("d4:2d:c5:00:00:01", "D4-2D-C5-00-00-01", "d42d.c500.0001", "D42DC5000001", "1")
    ends = [known.begin("history", "--json", "--mac", spelling) for spelling in spellings]
    for result in [end() for end in ends]:
        assert [row["ip"] for row in result.json] == ["127.20.0.9", "127.20.0.200"]
        assert [row["previous_ip"] for row in result.json] == [None, "127.20.0.9"]
    table = known.cli("history", "--mac", "1").out.splitlines()
    assert table[0] == "Gate, d4:2d:c5:00:00:01"
    assert "127.20.0.200" in table[-1]


def test_export_is_the_same_on_stdout_and_in_a_file(known: Place) -> None:
    file = known.folder / "fleet.json"
    on_stdout, in_file = known.begin("export"), known.begin("export", "-o", str(file))
    assert in_file().out == ""
    cameras = on_stdout().json["cameras"]
    assert cameras == json.loads(file.read_text())["cameras"]
    assert [row["camera_name"] for row in cameras] == ["Gate", "Yard", "Shed", FORMULA, "Old"]
    assert [row["retired"] for row in cameras] == [False, False, False, False, True]


def test_a_database_of_the_original_tracker_is_listed_and_not_changed(place: Place) -> None:
    before = original(place.folder)
    ends = [place.begin(command, "--json") for command in ("list", "stats")]
    listed, counts = (end().json for end in ends)
    assert [row["camera_name"] for row in listed] == ["Attic", "Lobby"]
    assert (counts["active"], counts["missing"]) == (1, 1)
    assert place.database.read_bytes() == before
    assert [path.name for path in place.folder.iterdir()] == ["camera_database.json"]


# -- cleanup -----------------------------------------------------------------------------


def test_cleanup_retires_what_was_not_seen_for_so_many_days(place: Place) -> None:
    before = original(place.folder)
    assert place.cli("cleanup", "--dry-run").out == "Attic\n1 device would be retired.\n"
    assert place.cli("cleanup", "--days", "365", "--dry-run").out == "0 devices would be retired.\n"
    assert place.database.read_bytes() == before
    done = place.cli("cleanup", "--days", "90")
    assert (done.code, done.out.split()[0]) == (0, "1")
    left, gone = place.begin("list", "--json"), place.begin("list", "--json", "--retired")
    assert [row["camera_name"] for row in left().json] == ["Lobby"]
    assert [row["camera_name"] for row in gone().json] == ["Attic"]


def test_cleanup_goes_through_the_running_monitor(place: Place) -> None:
    original(place.folder)
    place.start()
    assert place.cli("cleanup").out.split()[0] == "1"
    assert [row["camera_name"] for row in place.get("/api/cameras").json["cameras"]] == ["Lobby"]
    assert place.stop() == 0


def test_delete_removes_one_camera_by_its_name_and_a_selection_by_its_number(place: Place) -> None:
    original(place.folder)
    assert (
        "To delete it permanently, confirm its name: --confirm Lobby"
        in place.cli("delete", "1").complaint
    )
    refused = place.cli("delete", "1", "--confirm", "lobby")
    updated, complaint = refused.err.splitlines()
    assert refused.code != 0
    assert "was updated to file format 2" in updated
    assert "Enter its exact name: Lobby" in complaint
    seen = place.cli("delete", "--not-seen-days", "30", "--never-named")
    assert (
        seen.out == "Attic\n1 device selected. To delete permanently, run again with --confirm 1.\n"
    )
    assert (
        "The selection now has 1 device, not 2"
        in place.cli("delete", "--not-seen-days", "30", "--confirm", "2").complaint
    )
    assert (
        place.cli("delete", "--not-seen-days", "30", "--confirm", "1").out == "1 device deleted.\n"
    )
    (row,) = place.cli("list", "--json").json
    done = place.cli("delete", str(row["id"]), "--confirm", "Lobby")
    assert done.out == f"Device {row['id']} deleted.\n"
    assert place.cli("list", "--json").json == []
    place.start()
    lines = [
        (entry["action"], entry["who"], entry["text"]) for entry in place.get("/api/audit").json
    ]
    single, many = (line for line in lines if line[0].endswith(".deleted"))
    assert (single[:2], many[:2]) == (
        ("device.deleted", "command line"),
        ("fleet.deleted", "command line"),
    )
    assert many[2] == "1 device deleted: not seen for 30 days"
    assert place.stop() == 0


def test_delete_goes_through_the_running_monitor(place: Place) -> None:
    original(place.folder)
    place.start()
    done = place.cli("delete", "--not-seen-days", "30", "--confirm", "1")
    assert (done.out, done.err) == ("1 device deleted.\n", "")
    (row,) = place.get("/api/cameras").json["cameras"]
    assert place.cli("delete", row["mac_address"], "--confirm", "Lobby").code == 0
    assert place.get("/api/cameras").json["cameras"] == []
    actions = [entry["action"] for entry in place.get("/api/audit").json]
    assert actions[:2] == ["device.deleted", "fleet.deleted"]
    assert place.stop() == 0


@pytest.mark.parametrize("runs", [False, True])
def test_delete_says_what_to_do_with_and_without_a_running_server(place: Place, runs: bool) -> None:
    original(place.folder)
    if runs:
        place.start()
    nothing = place.cli("delete", "--not-seen-days", "30000")
    assert (nothing.code, nothing.out) == (1, "No device matches this selection.\n")
    unknown = place.cli("delete", "999", "--confirm", "x")
    assert (unknown.code, unknown.err) == (
        1,
        "Camera 999 does not exist. `cli.py list` shows all cameras.\n",
    )
    asked = place.cli("delete", "1")
    assert (asked.code, asked.err) == (
        2,
        "To delete it permanently, confirm its name: --confirm Lobby\n",
    )
    both = place.cli("delete", "1", "--not-seen-days", "1", "--confirm", "Lobby")
    assert (both.code, both.err) == (2, "Give either a device or a selection, not both.\n")
    assert len(place.cli("list", "--json").json) == 2
    if runs:
        assert place.stop() == 0


# -- what goes wrong ---------------------------------------------------------------------


WRONG_USE = (
    "",
    "discover --json --csv",
    "list --sort colour",
    "list --status happy",
    f"list --search {'x' * 101}",
    "history",
    "cleanup --days 0",
    "delete --first-seen-after yesterday",
    "delete --first-seen-before 2026-11-27T09:30",
)


@pytest.mark.parametrize("line", WRONG_USE)
def test_wrong_use_ends_with_2_and_says_what_is_right(known: Place, line: str) -> None:
    result = known.cli(*line.split())
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err
    assert "cli.py" in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("history", "--mac", "d4:2d:c5:99:99:99"), "Camera d4:2d:c5:99:99:99"),
        (("export", "-o", "/dev/null/fleet.json"), "/dev/null/fleet.json cannot be written"),
    ],
    ids=["unknown MAC", "unwritable file"],
)
def test_what_cannot_be_done_is_one_sentence(
    known: Place, arguments: tuple[str, ...], says: str
) -> None:
    assert says in known.cli(*arguments).complaint


def test_a_database_that_cannot_be_read_is_one_sentence(place: Place) -> None:
    bad = {
        "damaged": b'{"format": "camera-mon',
        "newer": b'{"format": "camera-monitor", "version": 99}',
        "foreign": b'{"colour": "red"}',
    }
    for what, data in bad.items():
        place.database.write_bytes(data)
        ends = [place.begin(command) for command in ("list", "scan")]
        for result in [end() for end in ends]:
            assert "camera_database.json" in result.complaint, what
            assert re.search(
                "set DATABASE_PATH|replace the file|Restore a good file", result.complaint
            ), what
        assert place.database.read_bytes() == data


def test_a_data_folder_that_is_no_folder_is_one_sentence(place: Place) -> None:
    original(place.folder)
    ends = [place.begin(command, DATA_DIR="/dev/null") for command in ("scan", "cleanup")]
    for result in [end() for end in ends]:
        assert "/dev/null" in result.complaint


def test_an_option_that_does_not_fit_is_named(known: Place) -> None:
    assert known.cli("list", AUTO_SCAN_INTERVAL="soon").complaint.startswith(
        "Invalid AUTO_SCAN_INTERVAL"
    )


def test_a_monitor_that_was_killed_is_not_waited_for(place: Place) -> None:
    original(place.folder)
    (place.folder / "data").mkdir()
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(place.folder / "data" / "control.sock"))
    assert place.cli("stats", "--json").json["total"] == 2


@pytest.mark.parametrize("command", ["list", "export", "stats"])
def test_a_reader_that_has_gone_gets_no_traceback(known: Place, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    end = known.begin(command, stdout=writing)
    os.close(writing)
    assert end().err == ""


EVERY = (
    ("list",),
    ("list", "--json"),
    ("list", "--csv"),
    ("stats",),
    ("history", "--mac", "1"),
    ("export",),
    ("cleanup", "--dry-run"),
    ("discover",),
    ("scan",),
    ("user", "list"),
    ("keys", "rotate"),
    ("check", "--help"),
)


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_a_full_disk_behind_the_output_is_one_sentence(known: Place, command: tuple[str, ...]):
    with Path("/dev/full").open("w") as full:
        result = known.begin(*command, stdout=full.fileno())()
    assert result.complaint == "The output cannot be written: No space left on device.\n"
    assert result.code == 1


def test_a_closed_output_is_one_sentence_and_nothing_is_done(known: Place):
    closed = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" cli.py list >&-', sys.executable],
        cwd=ROOT, env=known.environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert closed.returncode == 1
    assert closed.stderr == "Standard output is closed. Redirect it to a file or to /dev/null.\n"


def test_a_full_disk_behind_the_complaint_too_still_ends_with_one(known: Place):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "cli.py", "list"],
            cwd=ROOT, env=known.environment, stdout=full, stderr=full,
        )  # fmt: skip
    assert ended.returncode == 1


@pytest.fixture(scope="module")
def far_letters(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A database whose one camera has letters that few terminals of 8 bits have."""
    place = Place(tmp_path_factory.mktemp("far"))
    place.database.write_bytes(original(place.folder).replace(b'"Lobby"', '"Łobby 門"'.encode()))
    return place


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
@pytest.mark.parametrize("form", ["--table", "--csv"])
def test_letters_that_the_terminal_lacks_become_question_marks(far_letters, encoding, form):
    result = far_letters.cli("list", form, PYTHONIOENCODING=encoding)
    assert (result.code, result.err) == (0, "")
    assert "?obby ?" in result.out


@pytest.mark.parametrize("command", [("list", "--json"), ("export",)], ids=" ".join)
def test_json_loses_no_letter_on_such_a_terminal(far_letters, command):
    output = far_letters.cli(*command, PYTHONIOENCODING="ascii").json
    rows = output["cameras"] if isinstance(output, dict) else output
    assert "Łobby 門" in {row["camera_name"] for row in rows}


def test_a_password_in_another_encoding_is_one_sentence(known: Place):
    command = [sys.executable, "cli.py", "user", "add", "mary", "--password-stdin"]
    ended = subprocess.run(
        command, cwd=ROOT, env={**known.environment, "PYTHONIOENCODING": "ascii"},
        input="wölfe im schnee\n".encode(), capture_output=True,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith("The password is not valid ascii text.")
    assert len(ended.stderr.splitlines()) == 1


def test_the_export_for_the_former_tracker_opens_there_and_here(known: Place, tmp_path: Path):
    result = known.cli("export", "--former")
    assert result.code == 0
    assert "1 device not exported: retired or without MAC" in result.err
    gate = result.json["d4:2d:c5:00:00:01"]
    assert (gate["camera_name"], gate["current_ip"]) == ("Gate", "127.20.0.200")
    assert [entry["previous_ip"] for entry in gate["ip_history"]] == [None, "127.20.0.9"]
    assert datetime.fromisoformat(gate["last_seen"]).tzinfo is None
    place = Place(tmp_path / "moved")
    place.database.write_text(result.out)
    names = {row["camera_name"] for row in place.cli("list", "--json").json}
    assert names == {"Gate", "Yard", "Shed", FORMULA}
