"""A file edited by hand: every invalid value is named or corrected."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from discovery.progress import SourceProgress
from discovery.scan_record import source_record
from fleet import validation
from fleet.database import record
from fleet.model import Access, AutoScan, Edit, Fleet, LastScan, PendingSerials, Refused
from fleet.recorder_list import SOURCE, RecorderRow
from store.json_file import COPIES, CannotKeep, CannotOpen
from tests.fleet.reports import NOON, A, B, down, edit, finding, missed, noon, seen
from tests.fleet.tracking import FILE, opened, tracker_in
from tests.home import Home, until

Make = Callable[..., Home]
MARK = b"\xef\xbb\xbf"


PLACE = {"host": "10.0.0.7", "port": 554, "path": "/live", "interval": 60}


def a_file(folder: Path) -> dict[str, Any]:
    """A file in which every part of the format is used."""
    row = RecorderRow("S1", "SIM0001", "Store", {"CITY": "Oslo"})
    fields = {"kind": "recorder", "site": "S1", "source": SOURCE, "facts": row.facts()}
    with opened(folder) as tracker:
        tracker.apply(
            [
                seen(A, name="Gate", model="WV", facts={"subnet": "255.255.0.0"}, scope="p:lo"),
                seen("onvif:1", source="onvif", address="10.0.0.2", links={"stream": "/s"}),
                seen("rtsp:10.0.0.3:554/", source="rtsp", address="10.0.0.3"),
                Edit("list", row.key, fields, "the workbook", NOON),
                finding(A, evidence={"address": "10.0.0.1"}),
                down("panasonic:eth0"),
            ],
            NOON,
        )
        tracker.apply([seen(A, at=noon(minutes=1), address="10.0.0.9")], noon(minutes=1))
        tracker.apply([missed("onvif:1", noon(minutes=2), source="onvif")], noon(minutes=2))
        tracker.apply([edit("merge", "id:2", **{"with": 3})], noon(minutes=3))
        tracker.apply([edit("change", "id:2", parent=1, tags=["north"])], noon(minutes=3))
        tracker.apply([edit("link", "id:1", source="rtsp", **PLACE)], noon(minutes=3))
        source = source_record(SourceProgress("panasonic", "Panasonic"))
        scan = {"at": NOON.isoformat(), "finished": noon(seconds=4).isoformat(), "by": "local"}
        scan |= {"state": "done", "found": 3, "missed": 0, "error": None, "sources": [source]}
        facts = [LastScan(scan), AutoScan(False), PendingSerials({"S1": "SIM0002"})]
        tracker.apply(facts, noon(minutes=4))
    raw: dict[str, Any] = json.loads((folder / FILE).read_bytes())
    return raw


OTHERS: tuple[Any, ...] = (None, True, 7, -1, 2**70, "x", "7", [], ["x"], [[]], {}, {"x": "y"})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value is, however deep."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*path, key))


def changed(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> bytes:
    """The file with another value at this place."""
    edited = deepcopy(raw)
    at: Any = edited
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(edited).encode()


def readable(raw: dict[str, Any]) -> dict[str, Fleet]:
    """The fleets in all the changed files that are not refused, and what was changed."""
    taken = {}
    for path in places(raw):
        for value in OTHERS:
            try:
                fleet = record.decode(changed(raw, path, value))
            except (record.Unreadable, record.TooNew):
                continue
            taken[f"{path}: {value!r}"] = fleet
    return taken


PAGES = ("/", "/api/stats", "/api/cameras", "/metrics", "/api/export", "/settings/sources")


def look(home: Home, taken: dict[str, Fleet]) -> None:
    """Every page and list answers, and what was read can be written."""
    for what, fleet in taken.items():
        assert record.decode(record.Encoder().encode(fleet)) == fleet, what
        home.monitor.tracker._fleet = fleet
        for page in (*PAGES, *(f"/cameras/{id}" for id in fleet.devices)):
            answer = home.client.get(page)
            assert answer.status_code == 200, f"{page} with {what}: {answer.text[:300]}"


def test_a_value_of_another_type_is_refused_or_harms_no_page(
    tmp_path: Path, make_home: Make
) -> None:
    raw = a_file(tmp_path / "sample")
    taken = readable(raw)
    assert len(taken) < len(OTHERS) * len(list(places(raw))) / 2, "most of them are refused"
    sample = list(taken.items())[:: len(taken) // 30]
    look(make_home(), dict(sample))


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_any_value_of_another_type_is_refused_or_harms_no_page(
    tmp_path: Path, make_home: Make
) -> None:
    look(make_home(), readable(a_file(tmp_path / "sample")))


NAMED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "a count": (("devices", 0, "sightings"), "1", 'device 1: sightings is "1", a number'),
    "misses": (
        ("devices", 0, "states", "panasonic", "misses"),
        "x",
        'device 1, states, panasonic: misses is "x", a number is expected',
    ),
    "a recent miss": (
        ("devices", 0, "recent_misses"),
        {"panasonic": {"silent": ["noon"]}},
        'device 1, recent_misses: silent is "noon", a time',
    ),
    "a time": (("devices", 1, "last_seen"), "noon", 'device 2: last_seen is "noon", a time'),
    "a far time": (("devices", 1, "last_seen"), "0001-01-01T00:00:00+14:00", "from 1970 on"),
    "a tag": (("devices", 1, "tags"), ["a", 7], 'device 2: tags is ["a",7], text is expected'),
    "facts": (("devices", 0, "facts", "panasonic"), [], "device 1: facts is"),
    "a status": (("devices", 0, "status"), "FINE", 'device 1: status is "FINE", one of ACTIVE'),
    "no identity": (("devices", 0, "identities"), [], "device 1: identities is [], at least one"),
    "no MAC": (("devices", 0, "identities"), ["mac:x"], 'identities is "mac:x", a MAC of'),
    "a finding": (("devices", 0, "findings"), ["x"], "device 1: findings is"),
    "an event": (("outbox", 0, "at"), 7, "outbox: at is 7, a time"),
    "a redirect": (("redirects",), {"3": "two"}, 'redirects: 3 is "two", a device number'),
    "a source that is down": (("state", "down"), {"x": 7}, "state: down.x is 7"),
    "the toggle": (("state", "auto_scan"), "yes", 'state: auto_scan is "yes"'),
    "a far time of a scan": (
        ("state", "down"),
        {"x": {"since": "0001-01-01T00:00:00+14:00", "reason": ""}},
        "down.x.since",
    ),
    "a cell of a row": (
        ("devices", 2, "facts", "workbook", "columns"),
        {"CITY": 7},
        "facts, workbook: CITY is 7, text is expected",
    ),
    "the cells of a row": (
        ("devices", 2, "facts", "workbook", "columns"),
        ["Oslo"],
        'facts, workbook: columns is ["Oslo"], an object is expected',
    ),
    "the serial of a row": (
        ("devices", 2, "facts", "workbook", "serial"),
        7,
        "facts, workbook: serial is 7, text is expected",
    ),
    **{
        f"an access with {name} {value!r}": (
            ("devices", 0, "access", "rtsp", name),
            value,
            f"device 1, access, rtsp: {name} is (not shown), {words}",
        )
        for name, value, words in (
            ("port", 70_000, "the port is invalid. Enter a number from 1 to 65535"),
            ("port", 0, "the port is invalid"),
            ("port", "554", "a number from 0"),
            ("host", "the gate", "the host name is invalid. Enter a host name or an IP address"),
            ("host", "rtsp://10.0.0.5/live", "the address contains more than a host"),
            ("host", "10.0.0.5:554", "the address contains more than a host"),
            ("host", "224.0.0.1", "224.0.0.1 is not the address of a single device"),
            ("path", "/live?password=Tukan", "the path contains a password"),
            ("path", "/a b", "the path contains a space"),
            ("username", "root:Tukan", "a user name cannot contain a colon"),
            ("tls_pin", "ab", "the certificate fingerprint is invalid"),
            ("interval", 5, "the interval is invalid. Enter seconds, from 10 to 86400 (one day)"),
            ("interval", -5, "a number from 0"),
            ("interval", 10**9, "the interval is invalid"),
            ("method", "digest;", "the login method is invalid. Enter a method such as digest"),
            ("refusals", -1, "a number from 0"),
            ("refusals", 1001, "the value of refusals is invalid. Remove it"),
            ("refusals", None, "a number from 0"),
            ("attempts_left", 10**6, "the value of attempts_left is invalid"),
            ("worked_at", "noon", "a time (ISO 8601) is expected"),
            ("clock", "Tukan", "a number is expected"),
            ("clock", 1e11, "the value of clock is invalid"),
            ("credentials", 7, "text is expected"),
            ("options", {"password": "Tukan"}, "the option password looks like a password"),
        )
    },
    "an access of no source": (
        ("devices", 0, "access", "RTSP 1"),
        {},
        "device 1, access: a source is (not shown), a name like rtsp is expected",
    ),
    "a number too large": (("next_id",), 2**40, "next_id or sequence is out of range"),
}


@pytest.mark.parametrize("what", NAMED)
def test_damage_names_the_value_and_the_good_copy_is_used(tmp_path: Path, what: str) -> None:
    path, value, words = NAMED[what]
    raw = a_file(tmp_path)
    (tmp_path / FILE).write_bytes(changed(raw, path, value))
    with opened(tmp_path) as tracker:
        assert words in tracker.damage
        assert list(tracker.devices()) == [1, 2, 4]


DEEP = reduce(lambda inner, _: [inner], range(40), "Tukan")
"""Nested deeper than a file may be."""
NOT_QUOTED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "an unknown key": (("vault",), DEEP, "vault is (not shown), it is nested too deeply"),
    "an unknown key of an event": (("outbox", 0, "vault"), DEEP, "outbox: vault is (not shown)"),
    "what was before": (
        ("outbox", 0, "before"),
        "Tukan",
        "outbox: before is (not shown), an object",
    ),
    "what came after": (("outbox", 0, "after"), ["Tukan"], "outbox: after is (not shown)"),
    "a secret": (("secrets",), {"Tukan": "Tukan"}, "secrets, number 1: it is (not shown)"),
    "a sealed text": (("secrets",), {"Tukan": {}}, "secrets, number 1: sealed is (not shown)"),
    "the device of a secret": (
        ("secrets",),
        {"Tukan": {"sealed": "x", "device": "Tukan"}},
        "secrets, number 1: device is (not shown), a number",
    ),
    "an unknown key of a secret": (
        ("secrets",),
        {"Tukan": {"sealed": "x", "device": 1, "vault": DEEP}},
        "secrets, number 1: vault is (not shown)",
    ),
}


@pytest.mark.parametrize("what", NOT_QUOTED)
def test_damage_names_the_place_alone_where_a_password_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    path, value, words = NOT_QUOTED[what]
    raw = a_file(tmp_path)
    (tmp_path / FILE).write_bytes(changed(raw, path, value))
    with opened(tmp_path) as tracker:
        assert words in tracker.damage
        assert "Tukan" not in tracker.damage
        assert "Tukan" not in caplog.text


def test_an_access_that_is_damaged_is_not_lost(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    damaged = changed(raw, ("devices", 0, "access", "rtsp", "port"), 70_000)
    (tmp_path / FILE).write_bytes(damaged)
    with opened(tmp_path) as tracker:
        assert tracker.device("1").access["rtsp"].port == 554, "from the good copy"
    aside = list((tmp_path / "data" / "copies").glob("*damaged*"))
    assert [path.read_bytes() for path in aside] == [damaged]


def test_an_access_in_another_spelling_is_made_fit(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    pin = ":".join(["AB"] * 32)
    spelled = {"host": "Gate.LAN.", "path": "live", "tls_pin": pin, "port": 554}
    fleet = record.decode(changed(raw, ("devices", 0, "access", "rtsp"), spelled))
    assert fleet.devices[1].access["rtsp"] == Access("gate.lan", 554, "/live", tls_pin="ab" * 32)


def test_misses_without_a_time_are_taken_as_silence(tmp_path: Path, make_home: Make) -> None:
    raw = a_file(tmp_path / "sample")
    state = raw["devices"][0]["states"]["panasonic"] | {"misses": 3, "missed_at": None}
    home = make_home()
    fleet = record.decode(changed(raw, ("devices", 0, "states", "panasonic"), state))
    home.monitor.tracker._fleet = fleet
    assert home.status("1") == "OFFLINE"
    assert home.client.get("/").status_code == 200


def test_a_parent_that_is_not_there_or_stands_behind_is_none(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    raw["devices"][0]["parents"], raw["devices"][1]["parents"] = [2], [1]
    raw["devices"][2]["parents"] = [77]
    fleet = record.decode(json.dumps(raw).encode())
    assert [device.parent for device in fleet.devices.values()] == [None, None, None]


def test_a_last_scan_at_an_impossible_time_is_left_out(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    raw["state"]["last_scan"]["at"] = "0001-01-01T00:00:00+14:00"
    assert "last_scan" not in record.decode(json.dumps(raw).encode()).state


# -- numbers at their end ----------------------------------------------------------------------


def grown(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The file after a hand changed it, its fleet went on, and it was read again."""
    raw = a_file(tmp_path)
    change(raw)
    (tmp_path / FILE).write_bytes(json.dumps(raw).encode())
    with opened(tmp_path) as tracker:
        assert tracker.damage == ""
        for minute in range(10, 14):
            at = noon(minutes=minute)
            tracker.apply([seen(A, at=at), seen(f"mac:d4:2d:c5:00:01:{minute:02}", at=at)], at)
            tracker.apply([missed("onvif:1", at, source="onvif")], at)
            for report in (
                edit("change", "id:1", name=f"{minute}"),
                edit("split", "id:2", **SPLIT),
            ):
                with suppress(Refused):
                    tracker.apply([report], at)
        last = tracker.fleet()
    with opened(tmp_path) as tracker:
        assert tracker.damage == ""
        assert tracker.devices() == last.devices


SPLIT = {"identities": ["onvif:1"]}


def test_counts_at_their_highest_stay_readable(tmp_path: Path) -> None:
    def change(raw: dict[str, Any]) -> None:
        for device in raw["devices"]:
            device["sightings"] = validation.HIGHEST_NUMBER
            for state in device["states"].values():
                state["misses"] = validation.HIGHEST_NUMBER

    grown(tmp_path, change)


def test_merged_counts_at_their_highest_stay_readable(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A), seen(B, address="10.0.0.2")], NOON)
    raw = json.loads((tmp_path / FILE).read_bytes())
    for device in raw["devices"]:
        device["sightings"] = validation.HIGHEST_NUMBER
    (tmp_path / FILE).write_bytes(json.dumps(raw).encode())
    with opened(tmp_path) as tracker:
        tracker.apply([edit("merge", "id:1", **{"with": 2})], NOON)
    assert tracker_in(tmp_path).store.read().devices[1].sightings == validation.HIGHEST_NUMBER


def test_when_device_numbers_end_the_others_go_on(tmp_path: Path) -> None:
    grown(tmp_path, lambda raw: raw.update(next_id=validation.HIGHEST_NUMBER))
    fleet = tracker_in(tmp_path).store.read()
    assert validation.HIGHEST_NUMBER in fleet.devices, "the last number was given"
    assert fleet.devices[1].name == "13"


def test_when_event_numbers_end_the_file_stays_readable(tmp_path: Path) -> None:
    grown(tmp_path, lambda raw: raw.update(sequence=validation.HIGHEST_SEQUENCE - 1))
    assert tracker_in(tmp_path).store.read().sequence == validation.HIGHEST_SEQUENCE


def test_events_that_wait_are_put_in_order_and_their_numbers_are_not_given_again(
    tmp_path: Path,
) -> None:
    raw = a_file(tmp_path)
    first, second, *_rest = raw["outbox"]
    raw["outbox"] = [{**second, "sequence": 90}, first, first]
    fleet = record.decode(json.dumps(raw).encode())
    assert [event.sequence for event in fleet.outbox] == [first["sequence"], 90]
    assert fleet.sequence == 90


# -- spelling --------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["mac:D4:2D:C5:00:00:0A", "MAC:d4-2d-c5-00-00-0a"])
def test_a_mac_in_another_spelling_is_the_same_camera(tmp_path: Path, spelling: str) -> None:
    raw = a_file(tmp_path)
    (tmp_path / FILE).write_bytes(changed(raw, ("devices", 0, "identities"), [spelling]))
    with opened(tmp_path) as tracker:
        assert tracker.device("1").identities == (A,)
        assert tracker.apply([seen(A, at=noon(hours=1), address="10.0.0.9")], noon(hours=1)) != []
        assert len(tracker.devices()) == 3, "nobody was found anew"


def test_one_mac_in_two_spellings_is_damage(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    (tmp_path / FILE).write_bytes(changed(raw, ("devices", 1, "identities"), [A.upper()]))
    with opened(tmp_path) as tracker:
        assert f"two devices have the same identity, {A}: 1 and 2" in tracker.damage


ORIGINAL = b'{"D4-2D-C5-00-00-0B": {"current_ip": "10.0.0.1", "last_seen": "2026-03-01T12:00:00"}}'


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    (tmp_path / FILE).write_bytes(MARK + json.dumps(raw).encode())
    with opened(tmp_path) as tracker:
        assert (tracker.damage, list(tracker.devices())) == ("", [1, 2, 4])


def test_a_byte_order_mark_is_passed_over_in_the_file_of_the_former_tracker(
    tmp_path: Path,
) -> None:
    (tmp_path / FILE).write_bytes(MARK + ORIGINAL)
    with opened(tmp_path) as tracker:
        assert (tracker.damage, tracker.device("1").identities) == ("", (B,))


def test_a_file_of_another_encoding_is_damage(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(ORIGINAL.decode().encode("utf-16"))
    with pytest.raises(CannotOpen, match="is damaged: it is not complete JSON"):
        tracker_in(tmp_path).open()


# -- while it runs ---------------------------------------------------------------------------


def test_a_hand_edit_while_it_runs_is_told_once_in_the_log_and_on_the_page(
    make_home: Make, caplog: pytest.LogCaptureFixture
) -> None:
    home = make_home()
    path, copies = home.settings.database_path, home.settings.data_dir / "copies"
    home.monitor.tracker.apply([seen(A)], home.clock())
    assert "was changed while" not in home.client.get("/").text
    for number in (1, 2):
        path.write_bytes(path.read_bytes().replace(b'"notes":""', b'"notes":"%d"' % number))
        home.clock.forward(minutes=1)
        home.tick()
        kept = copies / f"{path.name}.changed-{number}"
        assert b'"notes":"%d"' % number in kept.read_bytes()
        until(lambda name=kept.name: name in home.client.get("/").text)
    assert b'"notes":""' in path.read_bytes(), "what is true is in the file again"
    assert caplog.text.count("was changed while Camera Monitor was running") == 1
    home.restart()
    assert "was changed while" not in home.client.get("/").text


def test_only_the_last_few_foreign_contents_are_kept(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        for number in range(COPIES + 4):
            (tmp_path / FILE).write_bytes(b"theirs %d" % number)
            tracker.apply([edit_or_seen(number)], noon(minutes=number))
        names = [f"{FILE}.changed-{number}" for number in range(5, COPIES + 5)]
        kept = sorted((tmp_path / "data" / "copies").glob("*.changed-*"))
        assert [path.name for path in kept] == names
        assert kept[-1].read_bytes() == b"theirs %d" % (COPIES + 3)
        (tmp_path / FILE).write_bytes(b"one more")
        tracker.apply([edit("change", "id:1", name="more")], noon(hours=1))
        assert (tmp_path / "data" / "copies" / f"{FILE}.changed-{COPIES + 5}").exists()


def edit_or_seen(number: int) -> Any:
    return edit("change", "id:1", name=f"{number}") if number else seen(A)


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_the_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A)], NOON)
        (tmp_path / FILE).unlink()
        os.mkfifo(tmp_path / FILE)
        with pytest.raises(CannotKeep, match="it is not a regular file"):
            tracker.apply([edit("change", "id:1", name="Gate")], NOON)
        with pytest.raises(CannotOpen, match="it is not a regular file"):
            tracker.store.read()
    with pytest.raises(CannotOpen, match="it is not a regular file"):
        tracker_in(tmp_path).open()


def test_a_file_that_was_only_touched_is_no_change(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A)], NOON)
        (tmp_path / FILE).touch()
        tracker.apply([edit("change", "id:1", name="Gate")], NOON)
        assert tracker.store.foreign_change == ""
    assert list((tmp_path / "data" / "copies").glob("*.changed-*")) == []


def without(raw: dict[str, Any], path: tuple[Any, ...]) -> bytes:
    """The file without the value at this place."""
    edited = deepcopy(raw)
    at: Any = edited
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return json.dumps(edited).encode()


def test_a_key_that_somebody_deleted_is_called_missing(tmp_path: Path) -> None:
    raw = a_file(tmp_path)
    errors = {}
    for path in places(raw):
        try:
            record.decode(without(raw, path))
        except record.Unreadable as error:
            errors[path] = str(error)
    assert not [path for path, error in errors.items() if "null" in error]
    missing = {path[-1] for path, error in errors.items() if f"{path[-1]} is missing, " in error}
    assert {"next_id", "redirects", "outbox", "addresses", "states", "at"} <= missing
