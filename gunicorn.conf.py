"""The settings of gunicorn: one process, one worker, many threads.

`python app.py` and `gunicorn app:app` both read this file.
"""

import ctypes
import gc
import logging
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import serving
import settings as options
from server.worker import Worker

try:
    _settings = options.load()
except options.BadOption as error:
    sys.exit(f"Camera Monitor cannot start. {error}")

bind = [
    f"{serving.url_host(_settings.host)}:{_settings.port}",
    *serving.command_socket(_settings),
]
worker_class = Worker
workers = 1
worker_connections = serving.room_for_connections()
# 200 event streams, 100 live views, 120 that wait for a camera, 64 requests, the command socket.
threads = 508
graceful_timeout = 3
keepalive = 15
# Only what we make ourselves is trusted: no forwarding header changes who is asking.
forwarded_allow_ips = ""
control_socket_disable = True
loglevel = "warning"
# For the command socket: read and write for its owner alone.
umask = 0o177
COLLECT = (100_000, 50, 100)
"""For the collector of cycles: values made until it looks at the young, the older, all."""
proc_name = "camera-monitor"
wsgi_app = "app:app"


def _is_news(record: logging.LogRecord) -> bool:
    """False for the three lines of gunicorn about a refused start, which has its own message."""
    return not record.getMessage().startswith(("Worker (pid", "Shutting down", "Reason: Worker"))


def _use_one_arena() -> None:
    """Limit glibc to one pool of freed memory. One for every few threads would cost 30 MB with
    10,000 cameras, and is no faster, because Python's own lock lets one thread run."""
    arenas = -8  # M_ARENA_MAX, mallopt(3); other C libraries have no mallopt
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(arenas, 1)


def on_starting(server: Any) -> None:
    """Check the settings and the folders before a socket is opened."""
    _use_one_arena()
    logging.getLogger("gunicorn.error").addFilter(_is_news)
    cfg = server.cfg
    serving.check_start(_settings, int(cfg.workers), cfg.worker_class_str, bool(cfg.preload_app))
    Path(_settings.data_dir).mkdir(parents=True, exist_ok=True)
    if serving.find_temporary_folder(_settings.data_dir):
        # For SQLite and child processes.
        os.environ["TMPDIR"] = tempfile.gettempdir()
    # --worker-class gthread on the command line gets our class as well.
    server.worker_class = Worker


def on_reload(server: Any) -> None:
    server.worker_class = Worker


def when_ready(_server: Any) -> None:
    """Ignore the signals that ask gunicorn for more workers or a second server."""
    for ignored in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2):
        signal.signal(ignored, signal.SIG_IGN)


def post_fork(server: Any, worker: Any) -> None:
    # After SIGHUP the worker before us still runs.
    worker.predecessors = list(server.WORKERS)


def post_worker_init(worker: Any) -> None:
    import app as monitor_app

    worker.trusted_proxies = _settings.trusted_proxies
    worker.on_stop = worker.wsgi.extensions["monitor"].end_streams
    serving.wait_for_end_of(worker.predecessors, worker.notify)
    monitor_app.begin(worker.wsgi, _settings)


def worker_exit(_server: Any, worker: Any) -> None:
    wsgi = getattr(worker, "wsgi", None)
    if wsgi is not None:
        import app as monitor_app

        monitor_app.end(wsgi)


def pre_fork(_server: Any, _worker: Any) -> None:
    """Freeze the loaded objects: the worker shares them, so its collector must not touch them."""
    gc.collect()
    gc.freeze()
    # A fleet is hundreds of thousands of values without one cycle among them: looking through
    # all of them each time that a few hundred are made stops everybody for a fifth of a second.
    gc.set_threshold(*COLLECT)
