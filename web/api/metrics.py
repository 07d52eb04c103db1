"""Metrics of this server for Prometheus."""

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fleet import status
from fleet.kinds import CAMERAS, shown_as
from web.http.actions.readiness import not_ready_reasons
from web.http.actions.scans import fleet_stats
from web.http.authorization import needs
from web.http.monitor import Monitor, current_monitor
from web.http.payloads import describes
from web.http.visible_fleet import visible_fleet

bp = Blueprint("metrics", __name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FORMER_METRICS = (
    ("cameras_total", "Cameras and recorders that are not retired", "total_cameras"),
    ("cameras_active", "Cameras and recorders online, including those at a new address", "active"),
    ("cameras_missing", "Cameras and recorders not seen for a day", "missing"),
)


@bp.get("/metrics")
@needs("metrics.view")
@describes(answer=str, media=("text/plain",))
def metrics() -> Response:
    """Get the metrics in the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FleetCollector(current_monitor()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE)


class FleetCollector(Collector):
    """The metrics of the camera monitor by their old names, and ours with our prefix."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    def collect(self) -> Iterator[Metric]:
        stats = fleet_stats()
        for name, text, key in FORMER_METRICS:
            yield GaugeMetricFamily(name, text, stats[key])  # type: ignore[literal-required]
        yield self._by_status()
        for name, text, value in self._own():
            yield GaugeMetricFamily(f"camera_monitor_{name}", text, value)

    def _by_status(self) -> Metric:
        devices, statuses = visible_fleet().statuses()
        tally: dict[tuple[str, str], int] = {
            (name.lower(), kind): 0 for name in status.NAMES for kind in sorted(CAMERAS)
        }
        for device in devices.values():
            if device.retired_at is None:
                key = (statuses[device.id].lower(), shown_as(device.kind))
                tally[key] = tally.get(key, 0) + 1
        family = GaugeMetricFamily(
            "camera_monitor_devices", "Devices by status and kind", labels=["status", "kind"]
        )
        for labels, number in tally.items():
            family.add_metric(list(labels), number)
        return family

    def _own(self) -> list[tuple[str, str, float]]:
        monitor = self.monitor
        fleet = monitor.tracker.fleet()
        last = monitor.scanner.last
        took = (last.finished - last.started).total_seconds() if last and last.finished else 0.0
        findings = sum(len(device.findings) for device in visible_fleet().devices().values())
        shown = ("findings", "Findings on all devices", float(findings))
        if visible_fleet().is_limited:
            return [shown]
        return [
            shown,
            ("events_waiting", "Events not yet in the journal", len(fleet.outbox)),
            (
                "sources_down",
                "Sources, or parts of them, that cannot be checked",
                len(monitor.tracker.down()),
            ),
            ("event_streams", "Open event streams", monitor.broadcaster.streams),
            ("live_views", "Open live views", monitor.stream_sessions.viewers),
            ("last_scan_seconds", "Duration of the last scan in seconds", took),
            (
                "ready",
                "1 when the server is ready, as /readyz reports",
                float(not not_ready_reasons(monitor, monitor.disk.current())),
            ),
        ]
