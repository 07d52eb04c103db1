"""Many open pages: the share of a core that the server takes while 10 events a second come."""

import os
import time
from pathlib import Path

from bench import fleets
from bench.running import Client, Process, monitor
from bench.streams import readers
from bench.table import Row

PAGES, SECONDS, EACH_SECOND = 100, 20, 10
FLEET = 10_000
LIVELY = ("-m", "gunicorn", "--config", "gunicorn.conf.py", "bench.lively:app")


def pages(folder: Path) -> list[Row]:
    """100 pages follow a fleet of 10,000 in which 10 devices a second go or come."""
    shares = {}
    for count in (0, PAGES):
        place = folder / str(count)
        place.mkdir()
        fleets.write_fleet(place, FLEET)
        with monitor(place, LIVELY) as process:
            process.client.ask("GET", "/")
            shares[count], note = measured(process, count)
    title = f"{FLEET} devices, {EACH_SECOND} events a second"
    return [
        Row(f"{title}, no page", shares[0], "% of a core"),
        Row(f"{title}, {PAGES} pages", shares[PAGES], "% of a core", 25, note=note),
    ]


def measured(process: Process, count: int) -> tuple[float, str]:
    """The share of a core, and what the pages were sent meanwhile."""
    with readers(process.port, count, "?page=") as read:
        time.sleep(5)
        first = newest(process.port)
        used, begin = cpu(process), time.monotonic()
        time.sleep(SECONDS)
        share = 100 * (cpu(process) - used) / (time.monotonic() - begin)
        events = newest(process.port) - first
    return share, f"{events / SECONDS:.1f} events a second, {read[0]} messages read"


def newest(port: int) -> int:
    """The number of the newest event."""
    number: int = Client(port, keep=False).json("/api/events?limit=1")["events"][0]["id"]
    return number


def cpu(process: Process) -> float:
    """Seconds that the processes of its group have used."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == process.process.pid:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")
