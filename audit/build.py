"""Build the audit log beside the journal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from audit.audit_log import AuditLog
from fleet.build import FleetPackage
from fleet.package import Package


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Options of the audit log, by their names in `settings.py`."""

    data_dir: Path
    keep_audit_days: int


@dataclass(frozen=True, slots=True)
class AuditPackage(Package):
    """The audit log and its jobs."""

    options: AuditOptions
    clock: Callable[[], datetime]
    audit: AuditLog

    def tick(self) -> str:
        self.audit.flush()
        return ""

    def forget(self) -> str:
        until = self.clock() - timedelta(days=self.options.keep_audit_days)
        number = self.audit.forget(until)
        return f"{number} audit log {'entry' if number == 1 else 'entries'}"


def build_audit(
    options: AuditOptions, clock: Callable[[], datetime], fleet: FleetPackage
) -> AuditPackage:
    """Build the log in the journal's database; its lines are delivered with the events."""
    audit = AuditLog(fleet.journal.engine, options.data_dir, fleet.tracker.store.missing)
    fleet.journal_writer.also_deliver = audit.flush
    audit.on_entry = fleet.journal_writer.notify
    return AuditPackage(options, clock, audit)
