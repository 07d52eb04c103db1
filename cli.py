"""The command line: `python cli.py discover`, `scan`, `list`, `stats`, `history`, `user`, ...

What only reads opens the files. What changes something asks the running monitor over its
command socket, or does it itself when no monitor runs.

Exit codes: 0 done, 1 nothing found or not done, 2 wrong use, 3 could not ask.
"""

import argparse
import io
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

import settings as options
from accounts.model import ROLES
from commands import fleet, recorders, stills, users
from commands.monitor import NOTHING, Failed
from commands.output import complain, write
from fleet.model import Refused
from fleet.queries import SORTS, STATUSES
from fleet.texts import sentences
from settings import Settings
from store.json_file import CannotKeep

Run = Callable[[Settings, argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="cli.py", description="Commands of Camera Monitor.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sorts = [*SORTS, *(f"-{name}" for name in SORTS)]

    def command(name: str, run: Run, forms: bool = True) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=_first_line(run))
        subparser.set_defaults(run=run, parser=subparser)
        if forms:
            form = subparser.add_mutually_exclusive_group()
            form.add_argument("--json", action="store_true", help="print JSON")
            form.add_argument("--csv", action="store_true", help="print CSV with a header")
            form.add_argument("--table", action="store_true", help="print a table (default)")
        return subparser

    subparser = command("discover", fleet.discover)
    subparser.add_argument("-v", "--verbose", action="store_true", help="print details of the scan")
    subparser.add_argument("--sort", choices=sorts, help="sort order (default: address)")
    subparser = command("scan", fleet.scan, forms=False)
    subparser.add_argument(
        "--json", action="store_true", help="print the result of the scan as JSON"
    )
    subparser.add_argument("-v", "--verbose", action="store_true", help="print details of the scan")
    _list_command(command("list", fleet.list_cameras), sorts)
    command("stats", fleet.stats, forms=False).add_argument(
        "--json", action="store_true", help="print JSON"
    )
    subparser = command("history", fleet.history)
    subparser.add_argument("--mac", required=True, help="MAC or number of the device")
    subparser = command("export", fleet.export, forms=False)
    subparser.add_argument("-o", "--output", type=Path, help="write to this file instead of stdout")
    subparser.add_argument(
        "--former", action="store_true", help="use the format of the former camera tracker"
    )
    subparser = command("cleanup", fleet.cleanup, forms=False)
    subparser.add_argument(
        "--days",
        type=_days,
        default=90,
        help="only devices not seen for this many days (default: 90)",
    )
    subparser.add_argument(
        "--dry-run", action="store_true", help="only print which devices would be retired"
    )
    _delete_command(command("delete", fleet.delete, forms=False))
    subparser = command("check", recorders.check)
    subparser.add_argument(
        "serial", nargs="?", metavar="SERIAL", help="serial number of a recorder"
    )
    subparser.add_argument(
        "--excel", type=Path, metavar="FILE", help="check every recorder in this workbook"
    )
    subparser = command("still", stills.still, forms=False)
    subparser.add_argument("camera", metavar="CAMERA", help="number, MAC or exact name of a camera")
    subparser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="write the JPEG there"
    )
    _user_commands(commands)
    return top


def _list_command(subparser: argparse.ArgumentParser, sorts: Sequence[str]) -> None:
    """`list ...`"""
    subparser.add_argument(
        "--status",
        default="all",
        choices=STATUSES,
        help="only devices with this status (default: all)",
    )
    subparser.add_argument(
        "--search",
        type=_search,
        default="",
        help="only devices with this text in name, address, MAC, serial number or model",
    )
    subparser.add_argument("--retired", action="store_true", help="only retired devices")
    subparser.add_argument("--sort", choices=sorts, help="sort order (default: name)")


def _delete_command(subparser: argparse.ArgumentParser) -> None:
    """`delete ...`"""
    subparser.add_argument("key", nargs="?", metavar="KEY", help="number or MAC of one device")
    subparser.add_argument(
        "--first-seen-after",
        type=_moment,
        metavar="TIME",
        help="time with offset such as 2026-11-27T09:30:00+01:00",
    )
    subparser.add_argument(
        "--first-seen-before",
        type=_moment,
        metavar="TIME",
        help="time with offset such as 2026-11-27T09:30:00+01:00",
    )
    subparser.add_argument(
        "--not-seen-days", type=_days, metavar="DAYS", help="not seen for this many days"
    )
    subparser.add_argument(
        "--never-named",
        action="store_true",
        help="only devices without a name, notes, tags, or parent device",
    )
    subparser.add_argument(
        "--confirm",
        metavar="NAME|COUNT",
        help="exact name of the device, or number of selected devices",
    )


def _moment(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise argparse.ArgumentTypeError(
            "must be a time with offset such as 2026-11-27T09:30:00+01:00"
        )
    return at.isoformat()


def _user_commands(commands: Any) -> None:
    """`user ...` and `keys ...`."""
    group = commands.add_parser("user", help="Manage accounts: add, passwd, remove, list.")
    acts = group.add_subparsers(dest="act", required=True, metavar="{add,passwd,remove,list}")
    subparser = _user_command(acts, "add", users.add, with_password=True)
    subparser.add_argument(
        "--role", choices=ROLES, default="viewer", help="role of the user (default: viewer)"
    )
    subparser.add_argument(
        "--limited", action="store_true", help="only granted cameras, sites and stores"
    )
    _user_command(acts, "passwd", users.passwd, with_password=True)
    _user_command(acts, "remove", users.remove)
    subparser = acts.add_parser("list", help=_first_line(users.list_users))
    subparser.add_argument("--json", action="store_true", help="print JSON")
    subparser.set_defaults(run=users.list_users, parser=subparser)
    group = commands.add_parser(
        "keys", help="Manage the key that encrypts stored passwords: rotate."
    )
    acts = group.add_subparsers(dest="act", required=True, metavar="{rotate}")
    subparser = acts.add_parser("rotate", help=_first_line(users.rotate))
    subparser.set_defaults(run=users.rotate, parser=subparser)


def _user_command(acts: Any, name: str, run: Run, with_password: bool = False) -> Any:
    subparser = acts.add_parser(name, help=_first_line(run))
    subparser.add_argument("name", metavar="NAME", help="user name")
    if with_password:
        subparser.add_argument(
            "--password-stdin", action="store_true", help="read the password from stdin"
        )
    subparser.set_defaults(run=run, parser=subparser)
    return subparser


def _first_line(run: Run) -> str:
    return (run.__doc__ or "").splitlines()[0]


def _search(text: str) -> str:
    if len(text) > 100:
        raise argparse.ArgumentTypeError("must have at most 100 characters")
    return text


def _days(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 36500):
        raise argparse.ArgumentTypeError("must be a whole number of days from 1 to 36500")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    if sys.stdout is None:
        # The next file that this program opens would get the number of standard output.
        complain("Standard output is closed. Redirect it to a file or to /dev/null.")
        return NOTHING
    text = io.StringIO()
    with redirect_stdout(text):
        code = _run(arguments)
    return code if write(text.getvalue()) else code or NOTHING


def _run(arguments: Sequence[str] | None) -> int:
    """Run one command; its exit code. An error is one sentence on stderr."""
    logging.basicConfig(level=logging.CRITICAL)
    try:
        args, extra = parser().parse_known_args(arguments)
        if extra:
            args.parser.error(f"unrecognized arguments: {' '.join(extra)}")
        code: int = args.run(options.load(), args)
    except SystemExit as end:  # argparse: help was asked for, or the arguments are wrong
        return int(end.code or 0)
    except Failed as error:
        complain(str(error))
        return error.code
    except (options.BadOption, CannotKeep) as error:
        complain(str(error))
        return NOTHING
    except Refused as error:
        complain(sentences(error.error, error.hint))
        return NOTHING
    return code


if __name__ == "__main__":
    sys.exit(main())
