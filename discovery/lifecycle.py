"""Open, start and stop all packages, and give the scheduler their jobs."""

import logging

from discovery.build import DiscoveryPackage
from fleet.package import Packages
from inventory.build import InventoryPackage

log = logging.getLogger(__name__)
WORKBOOK_WAIT = 1.0
"""Seconds that a start waits for the workbook."""


def open_all(packages: Packages) -> None:
    """Open every package and add its jobs to the scheduler; nothing runs yet.

    Raises CannotOpen.
    """
    for package in packages:
        package.open()
    scheduler = packages.find(DiscoveryPackage).scheduler
    # The last package first: its jobs are what people look for.
    for package in reversed(packages):
        for job in package.jobs():
            scheduler.add(job)


def start_all(packages: Packages) -> None:
    """Open all packages, then start their threads and jobs. Raises CannotOpen."""
    open_all(packages)
    for package in packages:
        package.start()
    packages.find(DiscoveryPackage).scheduler.start()
    # No longer: 50,000 rows take seconds, and what the database knows can be seen meanwhile.
    packages.find(InventoryPackage).workbooks.was_read.wait(WORKBOOK_WAIT)


def stop_all(packages: Packages) -> None:
    """Stop in the reverse order of the start, so that nothing is lost on the way. An error of
    one package keeps no other from stopping."""
    for package in reversed(packages):
        try:
            package.stop()
        except Exception:
            log.exception("%s: internal error while stopping", type(package).__name__)
