"""Starts the program from a process that has imported it, which takes a tenth of the time.

Each start of Python and the import of the program cost more than what most tests then do with it. A
process of its own, one for each test worker, imports the program, builds nothing, and forks: the
copy gets the folder, environment, session and files that a started process would have, and runs
the same file from its first line. What it cannot be told after its start is what Python, the linker
and C itself read from the environment; and /proc shows the command line and environment of the
original. Tests of those take the ordinary `subprocess.Popen`.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

from sources import SOURCES

ROOT = Path(__file__).parent.parent
PROGRAMS = ("app.py", "cli.py")
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "TZ")
"""How names begin that are read once, when a process starts."""
IMPORTED = ("app", "cli", "gunicorn.app.wsgiapp", "server.worker")
PR_SET_CHILD_SUBREAPER = 36
MESSAGE_BYTES = 100_000


class Popen(subprocess.Popen[Any]):
    """A child process as `subprocess.Popen` starts it, of one of PROGRAMS in ROOT."""

    def _execute_child(self, *given: Any) -> None:
        start = signature(subprocess.Popen._execute_child).bind(self, *given).arguments  # type: ignore[attr-defined]
        _python, program, *arguments = start["args"]
        pipes = [
            start[name]
            for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        ]
        files = [
            number if own == -1 else own
            for number, own in enumerate((pipes[0], pipes[3], pipes[5]))
        ]
        message = {
            "arguments": [program, *arguments],
            "folder": str(start["cwd"]),
            "environment": start["env"],
            "new_session": start["start_new_session"],
        }
        try:
            self.pid = _original().fork(message, files)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def popen(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a command of the program: warm where nothing is lost by it."""
    environment = options.get("env")
    is_warm = (
        command[0] == sys.executable
        and command[1] in PROGRAMS
        and Path(options.get("cwd", "/")) == ROOT
        and environment is not None
        and not any(name.startswith(READ_AT_START) for name in environment)
    )
    return (Popen if is_warm else subprocess.Popen)(command, **options)


def run(
    command: list[str], *, input: str | bytes | None = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """`popen` until its end, 60 s at the most, with all that it printed."""
    pipe = subprocess.PIPE
    typed = {} if input is None else {"stdin": pipe}
    with popen(command, **typed, stdout=pipe, stderr=pipe, **options) as process:
        try:
            out, complaints = process.communicate(input, 60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, complaints)


class Original:
    """The process that has imported the program, seen from the test worker."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_start", str(theirs.fileno())],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def fork(self, message: dict[str, Any], files: list[int]) -> int:
        """The number of a copy that runs what the message says, now a child of this process."""
        with _adopting():
            socket.send_fds(self._ours, [json.dumps(message).encode()], files)
            answer = self._ours.recv(MESSAGE_BYTES)
        assert answer, "the process that forks the program has ended"
        return int(answer)


@cache
def _original() -> Original:
    return Original()


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of what a child leaves behind meanwhile, in place of the first process."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, ctypes.get_errno()
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


# -- in the process that has imported the program ----------------------------------------


def main(descriptor: int) -> None:
    """Fork a copy for each message until the other end is closed; a copy runs its program."""
    for name in (*IMPORTED, *(f"sources.{name}" for name in SOURCES)):
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()
    ours = socket.socket(fileno=descriptor)
    while True:
        text, files, _flags, _address = socket.recv_fds(ours, MESSAGE_BYTES, 3)
        if not text:
            return
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            if (copy := os.fork()) != 0:
                os.write(writer, str(copy).encode())
                os._exit(0)
            for unused in (reader, writer):
                os.close(unused)
            ours.close()
            _become(json.loads(text), files)
            return
        os.close(writer)
        with open(reader, "rb") as answer:  # noqa: PTH123  a pipe
            number = answer.read()
        os.waitpid(child, 0)
        for file in files:
            os.close(file)
        ours.send(number)


def _become(message: dict[str, Any], files: list[int]) -> None:
    """Run the program as a process would that was started for it."""
    if message["new_session"]:
        os.setsid()
    os.chdir(message["folder"])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(message["environment"])
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        old = getattr(sys, name)
        new = open(  # noqa: SIM115  as long as the process
            old.fileno(), mode, encoding=old.encoding, errors=old.errors, closefd=False
        )
        new.reconfigure(line_buffering=name == "stderr")
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    sys.argv = message["arguments"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]))
