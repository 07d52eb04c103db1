"""The jobs of discovery: automatic scans and recorder checks."""

from collections.abc import Callable
from dataclasses import dataclass

from discovery.scanner import Scanner
from fleet.authors import AUTO_SCAN_AUTHOR
from fleet.model import CannotAsk
from fleet.package import JobSkipped
from fleet.status_rules import AUTO_SCAN
from sources import easy4ip

LONGEST_SCAN = 300
"""Seconds that the job waits for the scan that it started."""
SPREAD = 0.6
"""Over how much of the interval the questions of one sweep begin."""


def scan(scanner: Scanner) -> str:
    """One automatic scan of every network. Devices that are probed have intervals of their own.

    Raises CannotAsk when something was not asked, and JobSkipped while another scan runs.
    """
    discovering = [source.name for source in scanner.sources.values() if source.discover]
    if not scanner.start(AUTO_SCAN_AUTHOR, discovering, with_probes=False):
        raise JobSkipped("Skipped: a scan was already running")
    scanner.wait(LONGEST_SCAN)
    last = scanner.last
    if last and last.error:
        raise CannotAsk(AUTO_SCAN, last.error)
    return f"{last.found} {'device' if last.found == 1 else 'devices'} online" if last else ""


@dataclass(slots=True)
class RecorderSweeps:
    """A job that asks Dahua's cloud about every listed recorder; `read_list` is called before."""

    scanner: Scanner
    interval: float
    read_list: Callable[[], object]

    def __call__(self) -> str:
        """Run at once when a recorder is new; else spread, so that the cloud hears us evenly.

        Raises CannotAsk when the cloud, or a part of it, could not be asked, and JobSkipped while
        all are being checked already.
        """
        self.read_list()
        if easy4ip.NAME not in self.scanner.sources:
            return ""
        is_new = self.scanner.has_new_targets(easy4ip.NAME)
        progress = self.scanner.sweep(easy4ip.NAME, 0.0 if is_new else self.interval * SPREAD)
        if progress and progress.failed:
            raise CannotAsk(easy4ip.NAME, " ".join(progress.failed.values()))
        if progress is None and self.scanner.targets(easy4ip.NAME):
            raise JobSkipped("A check of all recorders is already running.")
        if progress is None:
            return "no recorders to check"
        return f"{len(progress.found)} online, {progress.missed} not responding"
