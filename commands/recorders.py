"""The command about Dahua recorders: check one serial, or a whole workbook."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import app as monitor_app
from commands.monitor import CANNOT_ASK, DONE, NOTHING, Failed
from commands.output import complain, show
from discovery.single_scan import sweep as sweep_once
from fleet import shapes
from fleet.model import DEFAULT_SITE, CannotAsk, Coverage, Miss, Report, Sighting, Target
from fleet.recorder_list import RecorderRow
from fleet.serials import clean_serial
from fleet.texts import sentences
from inventory import workbook
from settings import Settings
from sources import easy4ip
from sources.build import build_sources

COLUMNS = (
    ("P2P NUMBER", "P2P NUMBER"),
    ("SITE", "SITE"),
    ("STORE NAME", "STORE NAME"),
    ("status", "STATUS"),
    ("reason", "REASON"),
)


def check(settings: Settings, args: argparse.Namespace) -> int:
    """Check one recorder, or every recorder of a workbook, via Dahua cloud."""
    if (args.serial is None) == (args.excel is None):
        raise Failed("Give either a serial number or --excel FILE.")
    rows = _rows(args.excel) if args.excel else [_recorder(args.serial)]
    reports = _ask(settings, rows)
    results = _judged(rows, reports)
    down = [result for result in results if result["status"] != "online"]
    if args.serial is not None:
        _print_result(results[0], args.json)
    else:
        show(down, argparse.Namespace(json=args.json, csv=args.csv), COLUMNS)
    failed = {
        reason
        for report in reports
        if isinstance(report, Coverage)
        for reason in report.failed.values()
    }
    for reason in sorted(failed):
        complain(reason)
    if any(result["status"] == "unknown" for result in results):
        return CANNOT_ASK
    return NOTHING if down else DONE


def _recorder(text: str) -> RecorderRow:
    serial = clean_serial(text)
    if serial is None:
        raise Failed(
            f"{text[:60]!r} is not a serial number: it must have 4 to 32 letters and digits."
        )
    return RecorderRow("", serial, "")


def _rows(path: Path) -> list[RecorderRow]:
    try:
        book = workbook.read(path.read_bytes())
    except OSError as error:
        raise Failed(f"{path} cannot be read ({error.strerror}).") from None
    except workbook.NotReadable as error:
        raise Failed(f"{path}: {error}") from None
    for problem in book.problems:
        complain(sentences(f"Row {problem.number}: {problem.error}", problem.hint))
    return list(book.rows)


def _ask(settings: Settings, rows: Sequence[RecorderRow]) -> list[Report | Coverage]:
    targets = [Target(DEFAULT_SITE, f"row:{row.serial}", "", path=row.serial) for row in rows]
    sources = build_sources(settings.select, monitor_app.utc_now)
    source = next(source for source in sources if source.name == easy4ip.NAME)
    try:
        return sweep_once(source, targets)
    except CannotAsk as error:
        raise Failed(f"{source.title}: {error.reason}", CANNOT_ASK) from None


def _judged(
    rows: Sequence[RecorderRow], reports: Sequence[Report | Coverage]
) -> list[shapes.CheckedRecorder]:
    """Each row with its status: online, offline, or unknown when it could not be asked."""
    states = {}
    for report in reports:
        if isinstance(report, Sighting):
            states[report.identities[0]] = ("online", report.firmware or "")
        elif isinstance(report, Miss):
            states[report.identity] = ("offline", report.reason)
    results = []
    for row in rows:
        state, reason = states.get(f"row:{row.serial}", ("unknown", "could not be checked"))
        results.append(shapes.checked_recorder(row, state, reason))
    return results


def _print_result(row: shapes.CheckedRecorder, as_json: bool) -> None:
    if as_json:
        print(json.dumps(shapes.checked_serial(row)))
    else:
        firmware = f" (firmware {row['reason']})" if row["reason"] else ""
        what = firmware if row["status"] == "online" else f": {row['reason']}"
        print(f"{row['P2P NUMBER']} is {row['status']}{what}")
