"""A workbook of 50,000 recorders, opened by a monitor that others are asking meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from bench.running import Client, monitor
from bench.table import Row
from inventory import workbook

COUNT = 50_000
EVERY = 0.05
LONGEST = 120.0


def rows(folder: Path) -> list[Row]:
    """Seconds until the rows are read, and until each counts; how long `/api/stats` takes."""
    path = folder / "P2P1.xlsx"
    write(path)
    data = path.read_bytes()
    began = time.monotonic()
    read = len(workbook.read(data).rows)
    reading = time.monotonic() - began
    path.unlink()
    with monitor(folder) as process:
        process.client.ask("GET", "/")
        path.write_bytes(data)
        opened, waits = _watched(process.port)
        settled = _asked(process.client, 10.0)
        pss = process.pss()
    with monitor(folder) as again:
        started = again.started
        counted = again.client.json("/api/stats")["total"]
    note = f"{len(waits)} times, every {EVERY * 1000:.0f} ms"
    return [
        Row(f"{COUNT} rows: read", reading, "s", 3, note=f"{read} good ones"),
        Row(f"{COUNT} rows: until all count", opened, "s", 3),
        Row(f"{COUNT} rows: slowest /api/stats meanwhile", max(waits), "ms", 250, note=note),
        Row(f"{COUNT} rows: slowest /api/stats afterwards", max(settled), "ms", 250),
        Row(f"{COUNT} rows: memory (PSS)", pss, "MB"),
        Row(f"{COUNT} rows: start to /healthz", started, "s", note=f"{counted} known"),
    ]


def write(path: Path) -> None:
    """Rows such as a chain has, with two columns of its own."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Recorders")
    sheet.append(["P2P NUMBER", "SITE", "STORE NAME", "PHONE", "CITY"])
    for n in range(COUNT):
        sheet.append([f"SIM{n:05}PAZ{n:05}", f"S-{n:05}", f"Store {n // 60}", f"+00 {n}", "Town"])
    book.save(path)


def _watched(port: int) -> tuple[float, list[float]]:
    """Seconds that the job took until every row counted; milliseconds of each answer meanwhile."""
    client, worker = Client(port), Client(port)
    waits: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        job = pool.submit(lambda: worker.ask("POST", "/api/jobs/workbook/run"))
        total = 0
        while total < COUNT and time.monotonic() - began < LONGEST:
            asked = time.monotonic()
            total = client.json("/api/stats")["total"]
            waits.append((time.monotonic() - asked) * 1000)
            time.sleep(max(0.0, EVERY - (time.monotonic() - asked)))
        took = time.monotonic() - began
        with suppress(RuntimeError):
            job.result()
    client.close()
    return took, waits


def _asked(client: Client, seconds: float) -> list[float]:
    """Milliseconds of each answer while all is written and told."""
    waits, end = [], time.monotonic() + seconds
    while (asked := time.monotonic()) < end:
        client.ask("GET", "/api/stats")
        waits.append((time.monotonic() - asked) * 1000)
        time.sleep(max(0.0, EVERY - (time.monotonic() - asked)))
    return waits
