"""Many clients of one list at a time, each on a connection that it keeps."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from threading import Barrier, Thread

from bench import fleets
from bench.running import ROOT, Client, monitor, p99
from bench.table import Row

CAMERAS, CLIENTS, EACH = 1000, 50, 20
PATH = "/api/cameras"


def many(folder: Path) -> list[Row]:
    """`/api/cameras` with 1,000 cameras for 50 clients that ask again and again."""
    fleets.write_fleet(folder, CAMERAS)
    with monitor(folder) as process:
        process.client.ask("GET", PATH)
        command = [sys.executable, "-m", "bench.many", str(process.port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    latencies, seconds = json.loads(done.stdout)
    note = f"median {median(latencies):.0f} ms, {len(latencies) / seconds:.0f} answers a second"
    title = f"{CAMERAS} cameras, {CLIENTS} clients: p99 of {PATH}"
    return [Row(title, p99(latencies), "ms", 1000, note=note)]


def main(port: int) -> None:
    """The clients, in a process of their own; prints the ms of each answer."""
    latencies: list[float] = []
    together = Barrier(CLIENTS + 1)

    def work() -> None:
        client = Client(port)
        together.wait()
        for _ in range(EACH):
            begin = time.perf_counter()
            client.ask("GET", PATH)
            latencies.append((time.perf_counter() - begin) * 1000)
        client.close()

    threads = [Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    together.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    print(json.dumps((latencies, time.perf_counter() - begin)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
