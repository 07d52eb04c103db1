"""Starts the web server: what is asked before a socket opens, and gunicorn itself.

Light on purpose: this is all that gunicorn's first process ever loads of the house.
"""

import errno
import logging
import socket
import sys
from contextlib import suppress
from pathlib import Path

from settings import Settings
from store import masking
from store.json_file import CannotOpen, JsonFile


def set_up_logging(settings: Settings) -> None:
    """One line each, on stdout and in DATA_DIR/logs/app.log (5 files of 5 MB)."""
    from logging.handlers import RotatingFileHandler

    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    folder = settings.data_dir / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                folder / "app.log", maxBytes=5_000_000, backupCount=4, encoding="utf-8"
            )
        )
    except OSError as error:
        print(f"{folder} cannot be written ({error.strerror}); logs go to stdout only.")
    level = "DEBUG" if settings.flask_debug else settings.log_level
    logging.basicConfig(
        level=level,
        handlers=handlers,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    masking.install(handlers)
    for secret in (
        settings.database_url,
        settings.secret_key,
        settings.jwt_secret_key,
        settings.admin_password,
    ):
        if secret is not None:
            masking.Masked.know(secret.get_secret_value())
    if settings.flask_debug:
        # Statements without their values: those may be secrets.
        logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def banner(settings: Settings, setup_key: str) -> str:
    """What the start says; with a key, the link that makes the first account."""
    line = "=" * 70
    is_every = settings.host in ("0.0.0.0", "::")
    shown = "localhost" if is_every else settings.host
    setup = []
    if setup_key:
        name = socket.gethostname() if is_every else settings.host
        link = f"http://{name}:{settings.port}/setup?key={setup_key}"
        setup = ["The first account is made here, from any machine, once:", link, ""]
    return "\n".join(
        (
            line,
            settings.site_name,
            line,
            f"Database: {settings.database_path}",
            f"Auto-scan interval: {settings.auto_scan_interval} seconds",
            "",
            *setup,
            f"Starting web server on http://{shown}:{settings.port}",
            "Press Ctrl+C to stop",
            line,
        )
    )


def command_socket(settings: Settings) -> list[str]:
    """Where commands reach the running house; a path may have 107 bytes at the most."""
    path = settings.data_dir / "house.sock"
    with suppress(ValueError):
        path = min((path, path.resolve().relative_to(Path.cwd())), key=lambda one: len(str(one)))
    return [f"unix:{path}"] if len(str(path).encode()) <= 107 else []


def check_start(settings: Settings, workers: int, worker_class: str, preload: bool) -> None:
    """Leave with one sentence when the house cannot run as it was started."""
    if workers != 1 or worker_class != "gthread" or preload:
        sys.exit(
            "Camera Monitor runs with one worker of class gthread and without preload, so that one "
            "process owns the database. Start it as: .venv/bin/gunicorn app:app"
        )
    url = settings.database_url
    try:
        if url is not None:
            from store.sql import open_engine

            open_engine(url.get_secret_value()).dispose()
    except ValueError as error:
        sys.exit(f"Camera Monitor cannot start. DATABASE_URL does not fit: {error}.")
    try:
        file = JsonFile(settings.database_path, settings.data_dir)
        file.own()
        file.release()
    except CannotOpen as error:
        sys.exit(f"Camera Monitor cannot start. {error}")
    check_address(settings.host, settings.port)


def check_address(host: str, port: int) -> None:
    """Leave with one sentence when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(
                f"Camera Monitor cannot listen on {host} port {port}: {error.strerror}. "
                + _cure_of(error, port)
            )


def _cure_of(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Find out who has it (ss -ltnp 'sport = :{port}') and stop it, "
            "or set PORT to another number."
        )
    if error.errno == errno.EACCES:
        return "Only root may use ports below 1024: set PORT to 1024 or more."
    return "Set HOST to an address of this machine (ip address lists them), or to 0.0.0.0 for all."


def main() -> None:
    """Start the web server in this process."""
    from gunicorn.app.wsgiapp import WSGIApplication

    config = Path(__file__).with_name("gunicorn.conf.py")
    sys.argv = [sys.argv[0], "--config", str(config)]
    WSGIApplication("%(prog)s", prog="app.py").run()
