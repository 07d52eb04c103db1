"""The counts of the fleet, and the auto-scan toggle."""

from fleet import shapes
from fleet.kinds import shown_as
from web.http.auditing import note
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet


def fleet_stats(kind: str | None = None) -> shapes.Stats:
    monitor = current_monitor()
    devices, statuses = visible_fleet().statuses()
    if kind is not None:
        devices = {id: device for id, device in devices.items() if shown_as(device.kind) == kind}
    return shapes.stats(
        monitor.tracker.fleet(),
        devices.values(),
        statuses,
        scanning=monitor.scanner.progress() is not None,
        auto_scan=monitor.has_auto_scan(),
        interval=monitor.scan_interval,
        swept=monitor.swept_at(),
    )


def check_recorders() -> bool:
    """Begin to check every recorder of the list now; False while that is under way, and when the
    list is empty."""
    scanner = current_monitor().scanner
    lists = [source.name for source in scanner.sources.values() if source.sweep]
    begun = [name for name in lists if scanner.check_now(name)]
    return bool(begun)


def set_auto_scan(enabled: bool) -> None:
    """Turn automatic scanning on or off, durably. Raises HttpError (401, 403)."""
    current_monitor().set_auto_scan(enabled, visible_fleet().judge("scan.automatic"))
    note("scan.automatic", "auto-scan", "turned on" if enabled else "turned off")
