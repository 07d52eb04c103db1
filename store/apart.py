"""Run a function in a process of its own for the libraries that it loads: their memory ends with
it."""

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)
DONE, FAILED = "done", "failed"


class ApartFailed(Exception):
    """The process ended without a result; the log has the reason."""


def run_apart(function: Callable[[], str], errors: Sequence[type[Exception]] = ()) -> str:
    """The text that the function returns in a copy of this process.

    Raises those of the `errors`, made from their text alone, that it raises, and ApartFailed. With
    other threads running it is called here, because a copy could wait for their locks for ever.
    """
    if threading.active_count() > 1:
        return function()
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _answer(sink, function, errors)
    os.close(sink)
    with os.fdopen(source, encoding="utf-8") as stream:
        message = stream.read()
    os.waitpid(child, 0)
    kind, text = json.loads(message) if message else (FAILED, "")
    if kind == DONE:
        return str(text)
    for error in errors:
        if error.__name__ == kind:
            raise error(text)
    raise ApartFailed


def _answer(sink: int, function: Callable[[], str], errors: Sequence[type[Exception]]) -> None:
    """Write the result and end the process, without anything that the original does at its end."""
    try:
        message = DONE, function()
    except tuple(errors) as error:
        message = type(error).__name__, str(error)
    except BaseException:
        log.exception("Internal error in the process %d", os.getpid())
        message = FAILED, ""
    try:
        with os.fdopen(sink, "w", encoding="utf-8") as stream:
            json.dump(message, stream)
    finally:
        os._exit(0)
