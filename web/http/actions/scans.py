"""Scans, the auto-scan toggle, jobs, and the counts."""

from fleet import shapes
from web.http.auditing import note
from web.http.monitor import monitor
from web.http.visible_fleet import visible


def counts(kind: str | None = None) -> shapes.Stats:
    here = monitor()
    devices, statuses = visible().statuses()
    if kind is not None:
        devices = {id: one for id, one in devices.items() if one.kind == kind}
    return shapes.stats(
        here.tracker.fleet(),
        devices.values(),
        statuses,
        scanning=here.scanner.progress() is not None,
        auto_scan=here.has_auto_scan(),
        interval=here.scan_interval,
        swept=here.swept_at(),
    )


def set_auto_scan(enabled: bool) -> None:
    """Turn automatic scanning on or off, durably. Raises Problem (401, 403)."""
    monitor().set_auto_scan(enabled, visible().judge("scan.automatic"))
    note("scan.automatic", "auto-scan", "turned on" if enabled else "turned off")
