"""The measurements. Each one gets an empty folder and returns rows of the table."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Event, Thread

from bench import fleets
from bench.due import due
from bench.health import health
from bench.history import history
from bench.many import many
from bench.page import page
from bench.pages import pages
from bench.recorders import recorders
from bench.rows import rows
from bench.rtsp import rtsp_checks
from bench.running import HERE, ROOT, Client, Process, monitor, p99, peer, times, typical
from bench.slow import slow
from bench.stills import stills
from bench.streams import REQUEST, readers
from bench.table import Row
from bench.video import video
from fleet.model import Miss, Report
from simulators.panasonic import crowd

BIG = 10_000
STARTS = 5
SECONDS = 120


def empty(folder: Path) -> list[Row]:
    """A monitor that knows nobody yet."""
    started = []
    for number in range(STARTS):
        with monitor(folder / str(number)) as process:
            started.append(process.started)
    with monitor(folder / "memory") as process:
        warm_up(process)
        scan(process.client)
        pss = process.pss()
    return [
        Row("empty: start to /healthz", median(started), "s", 2),
        Row("empty: memory (PSS)", pss, "MB", 100, note="after a page, a scan and a tick"),
    ]


def warm_up(process: Process) -> None:
    """Everything that is imported at first use has been used once."""
    client = process.client
    for path in ("/", "/api/stats", "/api/cameras?per_page=50", "/api/events", "/metrics"):
        client.ask("GET", path)
    while not all(job["last_run"] for job in client.json("/api/jobs") if job["name"] == "tick"):
        time.sleep(0.1)


def scan(client: Client) -> float:
    """Seconds that one scan took."""
    begin = time.monotonic()
    client.ask("POST", "/api/scan")
    while client.json("/api/scan")["running"] is not None:
        time.sleep(0.02)
    return time.monotonic() - begin


def big(folder: Path) -> list[Row]:
    """10,000 cameras: start, page, list, edit, memory; beside the peer on the same fleet."""
    fleets.write_fleet(folder, BIG)
    started = []
    for _ in range(STARTS):
        with monitor(folder) as process:
            started.append(process.started)
    with monitor(folder) as process:
        client = process.client
        rows = client.json("/api/cameras")["cameras"]
        fleets.write_peer(rows, folder)
        ids = [row["id"] for row in rows]
        page = typical(20, lambda n: client.ask("GET", "/"))
        fifty = typical(20, lambda n: client.ask("GET", "/api/cameras?per_page=50"))
        sort = "/api/cameras?per_page=50&sort=name&q=camera"
        sorted_fifty = typical(20, lambda n: client.ask("GET", sort))
        whole = typical(10, lambda n: client.ask("GET", "/api/cameras"))
        edit = typical(
            30, lambda n: client.ask("PATCH", f"/api/camera/{ids[n]}", {"name": f"Name {n}"})
        )
        warm_up(process)
        pss = process.pss()
        scan(client)
        gone_pss = process.pss()
    macs = [row["mac_address"] for row in rows]
    with peer(folder) as other:
        ask = other.client.ask
        peer_fifty = typical(20, lambda n: ask("GET", "/api/cameras?per_page=50"))
        peer_whole = typical(10, lambda n: ask("GET", "/api/cameras"))
        peer_edit = typical(
            10, lambda n: ask("PATCH", f"/api/camera/{macs[n]}", {"camera_name": f"Name {n}"})
        )
        peer_pss, peer_started = other.pss(), other.started
    size = (folder / "camera_database.json").stat().st_size / 1e6
    return [
        Row("10k: start to /healthz", median(started), "s", 3, peer_started),
        Row("10k: page /", page, "ms", 100, note="median of 20"),
        Row("10k: /api/cameras?per_page=50", fifty, "ms", 30, peer_fifty),
        Row("10k: the same, searched and sorted", sorted_fifty, "ms"),
        Row("10k: /api/cameras, all of them", whole, "ms", None, peer_whole),
        Row(
            "10k: durable edit (PATCH name)", edit, "ms", 60, peer_edit, "the peer's is not durable"
        ),
        Row("10k: memory (PSS)", pss, "MB", 200, peer_pss, f"the file has {size:.1f} MB"),
        Row("10k: memory after all went offline at once", gone_pss, "MB"),
    ]


def writes(folder: Path) -> list[Row]:
    """10,000 devices that answer every minute, for two minutes of a clock that we turn."""
    rows = []
    for kind in ("quiet", "lively"):
        (folder / kind).mkdir()
        fleets.write_fleet(folder / kind, BIG)
        rows += write_rows(folder / kind, kind)
    return rows


def write_rows(folder: Path, kind: str) -> list[Row]:
    """`lively`: each second one device falls silent, so that there is something to keep."""
    tracker, path, now = (
        fleets.tracker_in(folder),
        folder / "camera_database.json",
        datetime.now(UTC),
    )
    sightings = fleets.sightings(crowd(BIG), now)
    share, written, size, took = BIG // 60 + 1, 0, 0, []
    for second in range(-60, SECONDS):  # in the first minute those come back that were offline
        at = now + timedelta(seconds=60 + second)
        part = sightings[second % 60 * share : (second % 60 + 1) * share]
        batch: list[Report] = [replace(report, at=at) for report in part]
        if kind == "lively":
            silent = sightings[(second * 97 + 31) % BIG].identities[0]
            batch.append(Miss(silent, "panasonic", at, "did not answer"))
        before, begin = path.stat(), time.perf_counter()
        fleets.settle(tracker, tracker.apply(batch, at))
        if second % 60 == 59:
            tracker.tick(at)
        after = path.stat()
        if second < 0:
            continue
        took.append((time.perf_counter() - begin) * 1000)
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            written, size = written + 1, size + after.st_size
    tracker.close()
    title = f"10k answering every minute, {kind}"
    return [
        Row(f"{title}: writes", written / SECONDS, "/s", 1),
        Row(f"{title}: written", size / SECONDS / 1e6, "MB/s"),
        Row(f"{title}: one batch", median(took), "ms", None, note=f"p99 {p99(took):.0f} ms"),
    ]


def thousand(folder: Path) -> list[Row]:
    """A scan of 1,000 cameras by the usual schedule: it ends with its listening window."""
    with monitor(folder) as process:
        given = process.environment
        cameras = subprocess.Popen(
            [sys.executable, "-m", "simulators.panasonic", "--count", "1000"]
            + ["--port", given["EASY_IP_PORT"], "--reply-port", given["EASY_IP_REPLY_PORT"]],
            cwd=ROOT,
        )
        try:
            time.sleep(1.5)
            took = [scan(process.client) for _ in range(2)]
            (did,) = process.client.json("/api/scan")["last"]["sources"]
            last = process.client.json("/api/scan")["last"]
        finally:
            cameras.terminate()
            cameras.wait()
    note = f"{did['answers']} answers to {did['requests']} requests, {last['missed']} missed"
    return [
        Row("scan of 1000 cameras: not found", 1000 - did["found"], "", 0, note=note),
        Row("scan of 1000 cameras: first time", took[0], "s", 5, note="its window is 4 s"),
        Row("scan of 1000 cameras: second time", took[1], "s", 5),
    ]


def streams(folder: Path) -> list[Row]:
    """The time that others wait while 200 pages follow the events of a fleet of 1,000."""
    fleets.write_fleet(folder, 1000)
    rows = []
    with monitor(folder) as process:
        kinds = {"keep-alive": Client(process.port), "new connection": Client(process.port, False)}
        rows += [stats_row("alone", kind, client) for kind, client in kinds.items()]
        with readers(process.port, 200) as read:
            rows += [stats_row("200 streams", kind, client) for kind, client in kinds.items()]
            with renaming(process.port) as edits:
                begin = time.monotonic()
                rows += [stats_row("200 streams, events flow", k, c) for k, c in kinds.items()]
                rate = len(edits) / (time.monotonic() - begin)
        note = f"{rate:.0f} edits a second, {read[0]} messages read by the streams"
        rows.append(Row("200 streams: memory (PSS)", process.pss(), "MB", None, note=note))
    rows.append(stop_row(folder))
    return rows


def stop_row(folder: Path) -> Row:
    """From SIGTERM to the end of the process, while 200 pages follow the events."""
    with monitor(folder) as process:
        streams = [socket.socket() for _ in range(200)]
        for number, sock in enumerate(streams):
            sock.bind((f"127.0.0.{1 + number % 4}", 0))
            sock.connect((HERE, process.port))
            sock.sendall(REQUEST.format("").encode())
            sock.recv(65536)
        begin = time.monotonic()
        process.end()
        took = time.monotonic() - begin
        ended = sum(read_to_end(sock).endswith(b"0\r\n\r\n") for sock in streams)
    return Row("200 streams: stop", took, "s", 1, note=f"{ended} ended with their last chunk")


def read_to_end(sock: socket.socket) -> bytes:
    body = b""
    with sock:
        while piece := sock.recv(65536):
            body += piece
    return body


def stats_row(title: str, kind: str, client: Client) -> Row:
    latencies = times(1000, lambda n: client.ask("GET", "/api/stats"), warm=20)
    client.close()
    target = 20 if "200" in title else None
    note = f"median {median(latencies):.1f} ms, worst {max(latencies):.0f} ms"
    return Row(f"{title}: p99 of /api/stats, {kind}", p99(latencies), "ms", target, note=note)


@contextmanager
def renaming(port: int, each_second: int = 10) -> Iterator[list[int]]:
    """Somebody renames cameras all the time: every stream hears of each."""
    done, edits = Event(), list[int]()

    def rename() -> None:
        client = Client(port)
        while not done.wait(1 / each_second):
            number = len(edits) + 1
            client.ask("PATCH", f"/api/camera/{number % 900 + 1}", {"name": f"Name {number}"})
            edits.append(number)
        client.close()

    thread = Thread(target=rename, daemon=True)
    thread.start()
    try:
        yield edits
    finally:
        done.set()
        thread.join()


ALL: dict[str, Callable[[Path], list[Row]]] = {
    "empty": empty,
    "big": big,
    "writes": writes,
    "history": history,
    "thousand": thousand,
    "many": many,
    "streams": streams,
    "slow": slow,
    "pages": pages,
    "page": page,
    "recorders": recorders,
    "rows": rows,
    "due": due,
    "rtsp": rtsp_checks,
    "video": video,
    "health": health,
    "stills": stills,
}
