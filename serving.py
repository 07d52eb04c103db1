"""Start the web server: the checks before a socket opens, and gunicorn itself.

Light on purpose: this is all that gunicorn's first process ever loads of the monitor.
"""

import errno
import logging
import os
import resource
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

from fleet.database.build import build_store
from settings import Settings
from store import masking
from store.json_file import CannotOpen

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
MAX_CONNECTIONS = 4096
FEWEST_CONNECTIONS = 64
OWN_DESCRIPTORS = 512
"""Files, sockets of the scans, pipes, and streams that are opened or come over TLS: as many as the
program itself has open at the most."""
PREDECESSOR_SECONDS = 60.0
"""Longer than gunicorn leaves a worker that does not end."""
LOCALHOST = "localhost"
WORKER_CLASSES = ("Worker", "gthread")
"""Names of our own, and of those that gunicorn takes for it when options ask for threads."""


def set_up_logging(settings: Settings) -> None:
    """Log one line each, on stdout and in DATA_DIR/logs/app.log (5 files of 5 MB)."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    try:
        handlers.append(_log_file(settings))
    except OSError as error:
        folder = settings.data_dir / "logs"
        print(f"Cannot write to {folder} ({error.strerror}); logging to stdout only.")
    level = "DEBUG" if settings.flask_debug else settings.log_level
    logging.basicConfig(level=level, handlers=handlers, format=LOG_FORMAT, force=True)
    masking.install(handlers)
    for secret in (
        settings.database_url,
        settings.secret_key,
        settings.jwt_secret_key,
        settings.admin_password,
    ):
        if secret is not None:
            masking.MaskingFormatter.add_secret(secret.get_secret_value())
    if settings.flask_debug:
        # Statements without their values: those may be secrets.
        logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _log_file(settings: Settings) -> logging.Handler:
    """The handler of the log file. Raises OSError."""
    from logging.handlers import RotatingFileHandler

    folder = settings.data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return RotatingFileHandler(
        folder / "app.log", maxBytes=5_000_000, backupCount=4, encoding="utf-8"
    )


def append_to_log(settings: Settings, text: str) -> None:
    """Add a line to the log file from a command, which runs while no monitor does. A file that
    cannot be written is left alone."""
    with suppress(OSError), closing(_log_file(settings)) as handler:
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        handler.handle(logging.LogRecord("commands", logging.INFO, "", 0, text, None, None))


def banner(settings: Settings, setup_key: str) -> str:
    """The lines printed at the start; with a key, the link that creates the first account."""
    line = "=" * 70
    best, *others = addresses(settings.host)
    url = f"http://{best}:{settings.port}"
    more = f" (and {len(others)} more)" if others else ""
    setup = []
    if setup_key:
        is_local = best in (LOCALHOST, "[::1]") or best.startswith("127.")
        place = "on this server" if is_local else "on any computer that can reach it"
        setup = [
            f"No account exists yet. Open this link {place} to create the first one:",
            f"{url}/setup?key={setup_key}",
            "Then scan the network, add a camera, or upload a workbook of recorders.",
            "",
        ]
    return "\n".join(
        (
            line,
            settings.site_name,
            line,
            f"Database: {settings.database_path}",
            f"Auto-scan interval: {settings.auto_scan_interval} s",
            "",
            *setup,
            f"Web server: {url}{more}",
            "Press Ctrl+C to stop",
            line,
        )
    )


def addresses(host: str) -> list[str]:
    """The addresses of this server for URLs, the one of its main interface first; of a server
    that listens on one address, just that. Nothing is sent."""
    plain = host.strip("[]")
    if plain not in ("0.0.0.0", "::"):  # nosec B104  compared only
        return [LOCALHOST if plain == "127.0.0.1" else url_host(plain)]
    from sources import net

    main = _source_address(socket.AF_INET, "192.0.2.1")
    own = [interface.address for interface in net.interfaces()]
    known = [address for address in dict.fromkeys([main, *own]) if address]
    reachable = [address for address in known if not address.startswith("127.")]
    if not reachable and plain == "::":
        main = _source_address(socket.AF_INET6, "2001:db8::1")
        reachable = [url_host(main)] if main else []
    return reachable or [LOCALHOST]


def _source_address(family: socket.AddressFamily, host: str) -> str:
    """The own address from which the kernel would send to `host`; empty without a route."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))  # of a datagram socket: it chooses a route and sends nothing
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def command_socket(settings: Settings) -> list[str]:
    """The socket of the running monitor for commands; a path has 107 bytes at most."""
    path = settings.data_dir / "control.sock"
    with suppress(ValueError):
        path = min((path, path.resolve().relative_to(Path.cwd())), key=lambda name: len(str(name)))
    return [f"unix:{path}"] if len(str(path).encode()) <= 107 else []


def url_host(host: str) -> str:
    """The address for URLs and gunicorn: IPv6 in brackets."""
    return f"[{host.strip('[]')}]" if ":" in host else host


def room_for_connections() -> int:
    """Raise the limit of descriptors as far as allowed. Returns the number of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OWN_DESCRIPTORS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    is_enough = soft in (resource.RLIM_INFINITY, wanted) or soft > wanted
    return MAX_CONNECTIONS if is_enough else max(FEWEST_CONNECTIONS, soft - OWN_DESCRIPTORS)


def find_temporary_folder(data_dir: Path) -> bool:
    """Use DATA_DIR for temporary files where /tmp is not writable, as in a read-only container.
    Whether it had to."""
    try:
        tempfile.gettempdir()
        return False
    except FileNotFoundError:
        tempfile.tempdir = str(data_dir.resolve())
        return True


def check_start(settings: Settings, workers: int, worker_class: str, preload: bool) -> None:
    """Exit with one sentence when the monitor cannot run as it was started."""
    if workers != 1 or worker_class not in WORKER_CLASSES or preload:
        sys.exit(
            "Camera Monitor cannot start. It needs a single worker of its own class without "
            "preload, so that one process owns the database. Start it with: "
            ".venv/bin/gunicorn app:app"
        )
    url = settings.database_url
    try:
        if url is not None:
            from store.sql import open_engine

            open_engine(url.get_secret_value()).dispose()
    except ValueError as error:
        sys.exit(f"Camera Monitor cannot start. Invalid DATABASE_URL: {error}.")
    try:
        build_store(settings.database_path, settings.data_dir).check()
    except CannotOpen as error:
        sys.exit(f"Camera Monitor cannot start. {error}")
    remove_former_socket(settings.data_dir / "house.sock")
    check_command_socket(settings.data_dir / "control.sock")
    check_address(settings.host, settings.port)


def wait_for_end_of(processes: Iterable[int], is_alive: Callable[[], object]) -> None:
    """Wait for the end of these processes, PREDECESSOR_SECONDS at the most."""
    end = time.monotonic() + PREDECESSOR_SECONDS
    for process in processes:
        with suppress(ProcessLookupError):
            while time.monotonic() < end:
                os.kill(process, 0)
                is_alive()
                time.sleep(0.02)


def remove_former_socket(path: Path) -> None:
    """Remove the command socket of an older version, if it is one and this user owns it."""
    with suppress(OSError):
        about = path.lstat()
        if stat.S_ISSOCK(about.st_mode) and about.st_uid == os.geteuid():
            path.unlink()


def check_command_socket(path: Path) -> None:
    """Exit with one sentence when something else has the path of the socket."""
    if path.exists() and not path.is_socket():
        sys.exit(
            f"Camera Monitor cannot start. {path} is not a socket, but commands need a socket "
            "at this path. Move the file away, then start again."
        )


def check_address(host: str, port: int) -> None:
    """Exit with one sentence when the address cannot be opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            sys.exit(
                f"Camera Monitor cannot listen on {host} port {port}: {error.strerror}. "
                + _cure_of(error, port)
            )


def _cure_of(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Find the program that uses it (ss -ltnp 'sport = :{port}') and stop it, or set "
            "PORT to another number."
        )
    if error.errno == errno.EACCES:
        return "Only root can use ports below 1024: set PORT to 1024 or higher."
    return "Set HOST to an address of this server (ip address lists them), or to 0.0.0.0 for all."


def main() -> None:
    """Start the web server in this process."""
    from gunicorn.app.wsgiapp import WSGIApplication

    config = Path(__file__).with_name("gunicorn.conf.py")
    sys.argv = [sys.argv[0], "--config", str(config)]
    WSGIApplication("%(prog)s", prog="app.py").run()
