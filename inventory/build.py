"""Build the inventory: the workbook that is watched, and its uploads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fleet.build import FleetPackage
from fleet.package import Job, Package
from inventory.range_inbox import RangeInbox
from inventory.staging import StagedImports
from inventory.uploads import Uploads
from inventory.workbooks import Workbooks


@dataclass(frozen=True, slots=True)
class InventoryOptions:
    """Options of the inventory, by their names in `settings.py`."""

    p2p_workbook: Path
    data_dir: Path


@dataclass(frozen=True, slots=True)
class InventoryPackage(Package):
    """The workbook, its uploads and their jobs, and the imports that wait."""

    workbooks: Workbooks
    uploads: Uploads
    imports: StagedImports
    inbox: RangeInbox

    def jobs(self) -> Sequence[Job]:
        read = self.workbooks.sync
        return (Job("workbook", "Read the workbook after a change", 5, read, at_once=True),)


def build_inventory(
    options: InventoryOptions, clock: Callable[[], datetime], fleet: FleetPackage
) -> InventoryPackage:
    """Build the workbook beside the fleet; a job reads it for the first time."""
    workbooks = Workbooks(options.p2p_workbook, fleet.tracker, clock)
    uploads = Uploads(options.data_dir / "uploads", workbooks)
    return InventoryPackage(workbooks, uploads, StagedImports(), RangeInbox(fleet.journal.engine))
