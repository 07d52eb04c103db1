"""The command line: `python cli.py discover`, `scan`, `list`, `stats`, `history`, ...

What only reads opens the files. What changes something asks the running house over its
command socket, or does it itself when no house runs.

Exit codes: 0 done, 1 nothing found or not done, 2 wrong use, 3 could not ask.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import app as house_app
import serving
import settings as options
from discovery.once import discover as discover_once
from fleet import cleaning, identity, status, words
from fleet.model import Device, Fleet, Refused
from fleet.status import Rules
from fleet.tracker import Tracker
from settings import Settings
from store.json_file import CannotKeep, CannotOpen, JsonFile
from web import door, shapes
from web.listing import SORTS, STATUSES, ListQuery, select
from web.tables import Row, as_csv, as_table

DONE, NOTHING, WRONG_USE, CANNOT_ASK = 0, 1, 2, 3
COLUMNS = (
    ("status", "STATUS"),
    ("camera_name", "NAME"),
    ("current_ip", "ADDRESS"),
    ("current_port", "PORT"),
    ("mac_address", "MAC"),
    ("model_name", "MODEL"),
    ("serial_number", "SERIAL"),
    ("firmware_version", "FIRMWARE"),
    ("last_seen", "LAST SEEN"),
    ("total_discoveries", "DISCOVERIES"),
)


class Failed(Exception):
    """The command could not do it: one sentence, and the exit code."""

    def __init__(self, text: str, code: int = NOTHING) -> None:
        super().__init__(text)
        self.code = code


# -- the running house -------------------------------------------------------------------


def ask_house(settings: Settings, method: str, path: str, body: Any = None) -> door.Said | None:
    """What the running house answers; None when none runs. Raises Failed."""
    places = serving.command_socket(settings)
    if not places:
        return None
    try:
        return door.ask(Path(places[0].removeprefix("unix:")), method, path, body)
    except door.NoAnswer as error:
        raise Failed(str(error)) from None


def tell_house(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """As ask_house, but an error that the house answers is Failed with its words."""
    said = ask_house(settings, method, path, body)
    if said is None:
        return None
    if said.status >= 400:
        raise Failed(f"{said.body['error']}. {said.body['hint']}")
    return said.body


def scan_in_house(settings: Settings) -> dict[str, Any] | None:
    """Scan by the running house, or join its scan, and wait; None when no house runs."""
    said = ask_house(settings, "POST", "/api/scan")
    if said is None:
        return None
    if said.status not in (200, 409):
        raise Failed(f"{said.body['error']}. {said.body['hint']}")
    begun = ""
    while True:
        state = tell_house(settings, "GET", "/api/scan")
        if state is None:
            raise Failed("The house stopped during the scan.")
        if state["running"] is None:
            break
        begun = state["running"]["at"]
        time.sleep(0.2)
    last = state["last"]
    if last is None or last["at"] < begun:
        raise Failed("The scan ended, but the house could not keep what it did. See its page.")
    return dict(last)


# -- reading the files -------------------------------------------------------------------


def read_fleet(settings: Settings) -> Fleet:
    """The fleet in the database file, without owning it. Raises Failed in words."""
    tracker = Tracker(JsonFile(settings.database_path, settings.data_dir), Rules)
    try:
        return tracker.peek()
    except CannotOpen as error:
        raise Failed(str(error)) from None


def rows_of(
    settings: Settings, devices: Iterable[Device], fleet: Fleet
) -> list[shapes.CameraDetail]:
    now, rules = house_app.utc_now(), house_app.rules_of(settings, fleet)
    return [
        shapes.detail(device, status.status(device, fleet.devices, now, rules), now, rules)
        for device in devices
    ]


# -- commands ----------------------------------------------------------------------------


def discover(settings: Settings, wanted: argparse.Namespace) -> int:
    """Who answers now. Nothing is kept unless the house runs, which then scans itself."""
    did = scan_in_house(settings)
    if did is None:
        devices, scan = discover_once(
            house_app.build_sources(settings, house_app.utc_now), house_app.utc_now
        )
        did = scan.plain() if scan else {}
        fleet = Fleet(devices={device.id: device for device in devices})
    else:
        fleet = read_fleet(settings)
    started = did["at"]
    answered = [one for one in fleet.devices.values() if _answered(one, started)]
    rows = rows_of(settings, _sorted(answered, wanted.sort or "address"), fleet)
    tell_scan(did, wanted.verbose)
    show(rows, wanted)
    if not rows and did["error"]:
        return CANNOT_ASK
    return DONE if rows else NOTHING


def _answered(device: Device, started: str) -> bool:
    return any(
        word.asked and word.asked.isoformat() == started and not word.misses
        for word in device.words.values()
    )


def scan(settings: Settings, wanted: argparse.Namespace) -> int:
    """Scan and remember; without a running house by this command itself."""
    did = scan_in_house(settings) or _scan_here(settings)
    if wanted.json:
        print(json.dumps(did, indent=2))
    else:
        print(f"{did['found']} answered, {did['missed']} did not.")
    tell_scan(did, wanted.verbose)
    return CANNOT_ASK if did["error"] and not did["found"] else DONE


def _scan_here(settings: Settings) -> dict[str, Any]:
    def work(house: Any) -> dict[str, Any]:
        house.scanner.open(listen=False)
        house.scanner.start("command line")
        house.scanner.wait()
        return dict(house.scanner.last.plain())

    did: dict[str, Any] = with_house(settings, work)
    return did


def with_house(settings: Settings, work: Callable[[Any], Any]) -> Any:
    """Do `work` with a house of our own that owns the files meanwhile."""
    house = house_app.build_house(settings)
    try:
        house_app.open_house(house, settings)
    except CannotOpen as error:
        raise Failed(str(error)) from None
    try:
        return work(house)
    finally:
        house_app.stop_house(house)


def tell_scan(did: Mapping[str, Any], verbose: bool) -> None:
    """What the scan did, on stderr: always what failed, the rest when asked."""
    for source in did["sources"]:
        for scope, reason in source["failed"].items():
            print(f"{scope}: {reason}", file=sys.stderr)
        if verbose:
            where = ", ".join(source["interfaces"]) or "no interface"
            print(
                f"{source['title']}: {source['requests']} requests on {where}, "
                f"{source['answers']} answers, {source['found']} devices",
                file=sys.stderr,
            )
            for reason, number in source["refused"].items():
                print(f"  {number} datagrams refused: {reason}", file=sys.stderr)


def list_cameras(settings: Settings, wanted: argparse.Namespace) -> int:
    """The cameras in the database."""
    fleet = read_fleet(settings)
    statuses = house_app.statuses_of(settings, fleet)
    query = ListQuery(status=wanted.status, q=wanted.search, retired=wanted.retired)
    found = select(fleet.devices.values(), statuses, query, shapes.CAMERAS).devices
    show(rows_of(settings, _sorted(found, wanted.sort or "name"), fleet), wanted)
    return DONE if found else NOTHING


def _sorted(devices: Sequence[Device], sort: str) -> list[Device]:
    key = SORTS[sort.lstrip("-")]
    return sorted(devices, key=lambda one: key(one, one.status), reverse=sort.startswith("-"))


def stats(settings: Settings, wanted: argparse.Namespace) -> int:
    """The counts."""
    said = tell_house(settings, "GET", "/api/stats") or _counts(settings)
    if wanted.json:
        print(json.dumps(said, indent=2))
    else:
        for key, value in said.items():
            print(f"{key:<26} {value}")
    return DONE


def _counts(settings: Settings) -> shapes.Stats:
    fleet = read_fleet(settings)
    return shapes.stats(
        fleet,
        fleet.devices.values(),
        house_app.statuses_of(settings, fleet),
        scanning=False,
        auto_scan=bool(fleet.memo.get("auto_scan")),
        interval=settings.auto_scan_interval,
    )


def history(settings: Settings, wanted: argparse.Namespace) -> int:
    """Every address that one camera ever had."""
    fleet = read_fleet(settings)
    id = fleet.index.get(identity.mac_key(wanted.mac) or "", 0)
    if wanted.mac.isdecimal() and not id:
        id = fleet.redirects.get(int(wanted.mac), int(wanted.mac))
    device = fleet.devices.get(id)
    if device is None:
        raise Failed(f"There is no camera {wanted.mac}. `cli.py list` shows them all.")
    rows = rows_of(settings, [device], fleet)[0]["ip_history"]
    columns = (("timestamp", "SINCE"), ("ip", "ADDRESS"), ("previous_ip", "BEFORE"))
    if not (wanted.json or wanted.csv):
        print(f"{words.name(device)}, {identity.mac_of(device) or device.identities[0]}")
    show(rows, wanted, columns)
    return DONE


def export(settings: Settings, wanted: argparse.Namespace) -> int:
    """The whole database as JSON, without secrets."""
    fleet = read_fleet(settings)
    body = shapes.export(rows_of(settings, fleet.devices.values(), fleet), house_app.utc_now())
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    if wanted.output is None:
        sys.stdout.write(text)
        return DONE
    try:
        wanted.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{wanted.output} cannot be written ({error.strerror}).") from None
    return DONE


def cleanup(settings: Settings, wanted: argparse.Namespace) -> int:
    """Retire what was not seen for so many days. It comes back when it answers again."""
    now = house_app.utc_now()
    if wanted.dry_run:
        fleet = read_fleet(settings)
        edits = cleaning.retirements(fleet.devices.values(), wanted.days, "", now)
        for edit in edits:
            print(words.name(fleet.devices[int(edit.identity.removeprefix("id:"))]))
        print(f"{len(edits)} would be retired.")
        return DONE
    said = tell_house(settings, "POST", "/api/cleanup", {"days": wanted.days})

    def work(house: Any) -> dict[str, Any]:
        found = cleaning.retirements(
            house.tracker.devices().values(), wanted.days, "command line", now
        )
        return {"retired": len(house.tracker.apply(found, now)) if found else 0}

    number = (said or with_house(settings, work))["retired"]
    print(f"{number} retired that were not seen for {wanted.days} days.")
    return DONE


# -- output ------------------------------------------------------------------------------


def show(
    rows: Sequence[Row], wanted: argparse.Namespace, columns: Iterable[tuple[str, str]] = COLUMNS
) -> None:
    """Rows as JSON, CSV or a table, on stdout."""
    if wanted.json:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
    elif wanted.csv:
        print(as_csv(rows, [key for key, _title in columns]), end="")
    else:
        print(as_table(rows, list(columns)), end="")


# -- the parser --------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="cli.py", description="Camera Monitor's commands.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sorts = [*SORTS, *(f"-{name}" for name in SORTS)]

    def command(
        name: str, run: Callable[[Settings, argparse.Namespace], int], forms: bool = True
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=(run.__doc__ or "").splitlines()[0])
        one.set_defaults(run=run)
        if forms:
            form = one.add_mutually_exclusive_group()
            form.add_argument("--json", action="store_true", help="JSON")
            form.add_argument("--csv", action="store_true", help="CSV with a header")
            form.add_argument("--table", action="store_true", help="a table (the default)")
        return one

    one = command("discover", discover)
    one.add_argument("-v", "--verbose", action="store_true", help="say what the scan did")
    one.add_argument("--sort", choices=sorts, help="the order (address)")
    one = command("scan", scan, forms=False)
    one.add_argument("--json", action="store_true", help="what the scan did, as JSON")
    one.add_argument("-v", "--verbose", action="store_true", help="say what the scan did")
    one = command("list", list_cameras)
    one.add_argument("--status", default="all", choices=STATUSES, help="only those (all)")
    one.add_argument(
        "--search", type=_search, default="", help="text in name, address, MAC, serial or model"
    )
    one.add_argument("--retired", action="store_true", help="the retired ones instead")
    one.add_argument("--sort", choices=sorts, help="the order (name)")
    command("stats", stats, forms=False).add_argument("--json", action="store_true", help="JSON")
    one = command("history", history)
    one.add_argument("--mac", required=True, help="the MAC in any spelling, or the number")
    one = command("export", export, forms=False)
    one.add_argument("-o", "--output", type=Path, help="a file instead of stdout")
    one = command("cleanup", cleanup, forms=False)
    one.add_argument("--days", type=_days, default=90, help="not seen for so many days (90)")
    one.add_argument("--dry-run", action="store_true", help="only say which")
    return top


def _search(text: str) -> str:
    if len(text) > 100:
        raise argparse.ArgumentTypeError("at most 100 characters")
    return text


def _days(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 36500):
        raise argparse.ArgumentTypeError("a whole number of days from 1 to 36500")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    wanted = parser().parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)
    try:
        code: int = wanted.run(options.load(), wanted)
        sys.stdout.flush()
    except Failed as error:
        print(error, file=sys.stderr)
        return error.code
    except (options.BadOption, CannotKeep) as error:
        print(error, file=sys.stderr)
        return NOTHING
    except Refused as error:
        print(f"{error.error}. {error.hint}", file=sys.stderr)
        return NOTHING
    except BrokenPipeError:
        # Nobody reads any more; without this Python says so once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOTHING
    return code


if __name__ == "__main__":
    sys.exit(main())
