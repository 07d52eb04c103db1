"""A real PostgreSQL of the tests' own: one cluster for each test worker, on a free port."""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.home import free_port, until

PASSWORD = "s3cret-SourceState"
# So that a test sees whether times come back in UTC whatever the server thinks of them.
ZONE = "Asia/Kolkata"


class Cluster:
    """A server that listens on 127.0.0.1 and dies with the tests."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="camera-monitor-pg-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = free_port()
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
            shutil.chown(password, "postgres")
        self._run(
            "initdb",
            *("--pgdata", str(self._folder / "data"), "--username", "tester"),
            *("--pwfile", str(password), "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )
        self.start()

    def _as_postgres(self, program: str, *arguments: str) -> list[str]:
        """The command as user postgres when we are root: PostgreSQL refuses to run as root."""
        command = [str(self._programs / program), *arguments]
        death = ["setpriv", "--pdeathsig", "KILL"]
        if os.getuid() == 0:
            death += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
        return [*death, *command]

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self._as_postgres(program, *arguments), cwd="/", capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        given = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "timezone": ZONE,
        }
        options = [part for key, value in given.items() for part in ("-c", f"{key}={value}")]
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                self._as_postgres("postgres", "-D", str(self._folder / "data"), *options),
                cwd="/",
                stdout=log,
                stderr=log,
            )
        until(self._answers, 60, "PostgreSQL answers")

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self._folder / "server.log").read_text()
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def processes(self) -> list[int]:
        """The server and every process that it started."""
        assert self._server is not None
        main = self._server.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def stop(self) -> None:
        """Fast shutdown: every connection is cut, what was committed stays."""
        assert self._server is not None
        self._server.send_signal(2)
        self._server.wait(60)

    def remove(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self.stop()
        shutil.rmtree(self._folder)

    def _address(self, database: str) -> str:
        return f"postgresql://tester:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database, as a person writes it in DATABASE_URL."""
        self._databases += 1
        name = f"monitor_{self._databases}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._address(name)


@functools.cache
def _cluster(programs: Path) -> Cluster:
    return Cluster(programs)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of this worker, which every folder of tests shares."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("needs PostgreSQL: sudo apt install postgresql")
    is_new = not _cluster.cache_info().currsize
    cluster = _cluster(programs[-1].parent)
    if is_new:
        request.config.add_cleanup(cluster.remove)
    return cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    cluster: Cluster = request.getfixturevalue("postgres")
    return cluster.new_database()
