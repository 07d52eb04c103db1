"""Opens, starts and stops all packages, and gives the scheduler their jobs."""

import logging

from discovery.build import DiscoveryPackage
from fleet.package import Packages
from inventory.build import InventoryPackage

log = logging.getLogger(__name__)
FIRST_LOOK = 1.0
"""Seconds that a start waits for the workbook."""


def open_all(packages: Packages) -> None:
    """Read what is stored and know every job; nothing runs by itself yet.

    Raises CannotOpen in words.
    """
    for package in packages:
        package.open()
    scheduler = packages.find(DiscoveryPackage).scheduler
    # The last package first: its jobs are what people look for.
    for package in reversed(packages):
        for job in package.jobs():
            scheduler.add(job)


def start_all(packages: Packages) -> None:
    """Everything that runs by itself begins. Raises CannotOpen in words."""
    open_all(packages)
    for package in packages:
        package.start()
    packages.find(DiscoveryPackage).scheduler.start()
    # No longer: 50,000 rows take seconds, and what the database knows can be seen meanwhile.
    packages.find(InventoryPackage).workbooks.was_read.wait(FIRST_LOOK)


def stop_all(packages: Packages) -> None:
    """End against the order of the start, so that nothing is lost on the way. A package that
    cannot end keeps no other from it."""
    for package in reversed(packages):
        try:
            package.stop()
        except Exception:
            log.exception("%s: an error in the program while ending", type(package).__name__)
