"""How gunicorn runs the house: one process, one worker, many threads.

`python app.py` and `gunicorn app:app` both read this file.
"""

import sys
from pathlib import Path
from typing import Any

import app as house_app
import settings as options

try:
    _settings = options.load()
except options.BadOption as error:
    sys.exit(f"Camera Monitor cannot start. {error}")

bind = [f"{_settings.host}:{_settings.port}", *house_app.command_socket(_settings)]
worker_class = "gthread"
workers = 1
threads = 256
graceful_timeout = 3
keepalive = 15
# Only what we make ourselves is trusted: no forwarding header changes who is asking.
forwarded_allow_ips = ""
control_socket_disable = True
loglevel = "warning"
# For the command socket: read and write for its owner alone.
umask = 0o177
proc_name = "camera-monitor"
wsgi_app = "app:app"


def on_starting(server: Any) -> None:
    """Everything that can be said before a socket is opened is said here, in words."""
    house_app.check_start(_settings, int(server.cfg.workers), server.cfg.worker_class_str)
    Path(_settings.data_dir).mkdir(parents=True, exist_ok=True)
    print(house_app.banner(_settings), flush=True)


def post_worker_init(worker: Any) -> None:
    house_app.begin(worker.wsgi, _settings)


def worker_exit(_server: Any, worker: Any) -> None:
    wsgi = getattr(worker, "wsgi", None)
    if wsgi is not None:
        house_app.end(wsgi)
