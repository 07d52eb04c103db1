"""Access of a command to the fleet: by the running monitor, or by the files when none runs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import app as monitor_app
import serving
from commands.output import complain
from discovery import lifecycle
from fleet.database.build import build_store
from fleet.model import Fleet
from fleet.texts import sentences
from settings import Settings
from store.json_file import CannotOpen
from web import control_client

DONE, NOTHING, WRONG_USE, CANNOT_ASK = 0, 1, 2, 3
"""Exit codes."""


class Failed(Exception):
    """Raised when a command cannot do its work: a sentence, and the exit code."""

    def __init__(self, text: str, code: int = NOTHING) -> None:
        super().__init__(text)
        self.code = code


def ask_monitor(
    settings: Settings, method: str, path: str, body: Any = None
) -> control_client.Reply | None:
    """Send a request to the running monitor; None when none runs. Raises Failed."""
    return _over_socket(
        settings, lambda socket: control_client.send_request(socket, method, path, body)
    )


def read_from_monitor(settings: Settings, path: str) -> bytes | None:
    """The bytes of a file that the running monitor sends; None when none runs. Raises Failed."""
    answer = _over_socket(settings, lambda socket: control_client.read_file(socket, path))
    return None if answer is None else bytes(_body(answer))


def _over_socket(
    settings: Settings, send: Callable[[Path], control_client.Reply | None]
) -> control_client.Reply | None:
    places = serving.command_socket(settings)
    if not places:
        return None
    try:
        return send(Path(places[0].removeprefix("unix:")))
    except control_client.NoReply as error:
        raise Failed(str(error)) from None


def tell_monitor(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """Send a request as ask_monitor does, and raise Failed with the text of an error answer."""
    answer = ask_monitor(settings, method, path, body)
    return None if answer is None else _body(answer)


def _body(answer: control_client.Reply) -> Any:
    if answer.status >= 400:
        raise Failed(sentences(answer.body["error"], answer.body["hint"]))
    return answer.body


def scan_in_monitor(settings: Settings) -> dict[str, Any] | None:
    """Scan by the running monitor, or join its scan, and wait; None when no monitor runs."""
    answer = ask_monitor(settings, "POST", "/api/scan")
    if answer is None:
        return None
    if answer.status not in (200, 409):
        raise Failed(sentences(answer.body["error"], answer.body["hint"]))
    begun = ""
    while True:
        state = tell_monitor(settings, "GET", "/api/scan")
        if state is None:
            raise Failed("Camera Monitor stopped during the scan. Start it, then scan again.")
        if state["running"] is None:
            break
        begun = state["running"]["at"]
        time.sleep(0.2)
    last = state["last"]
    if last is None or last["at"] < begun:
        raise Failed(
            "The scan finished, but Camera Monitor could not save its result. See its log."
        )
    return dict(last)


def with_monitor(settings: Settings, work: Callable[[Any], Any]) -> Any:
    """Call `work` with a monitor of this process, which owns the files meanwhile."""
    try:
        monitor = monitor_app.build_monitor(settings)
        lifecycle.open_all(monitor.packages)
    except CannotOpen as error:
        raise Failed(str(error)) from None
    try:
        monitor.workbooks.sync()
        return work(monitor)
    finally:
        lifecycle.stop_all(monitor.packages)
        _report_update(settings, monitor)


def _report_update(settings: Settings, monitor: Any) -> None:
    """Say on stderr and in the log that the files were updated to this version, which the older
    ones cannot open any more."""
    notices = (monitor.tracker.update_notice, monitor.journal.notice)
    if notice := " ".join(filter(None, notices)):
        complain(notice)
        serving.append_to_log(settings, notice)


def read_fleet(settings: Settings) -> Fleet:
    """The fleet in the database file, without owning it. Raises Failed in words."""
    try:
        return build_store(settings.database_path, settings.data_dir).read()
    except CannotOpen as error:
        raise Failed(str(error)) from None
