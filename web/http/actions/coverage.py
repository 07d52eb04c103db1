"""What pages and the API show of kept and missing recordings."""

from collections.abc import Mapping
from datetime import datetime

from fleet import labels
from fleet.model import Device
from video.build import VideoPackage
from video.keeping import Keeping
from video.link_quality import LinkDay
from web.http.monitor import current_monitor
from web.http.shapes.coverage import (
    DEFAULT,
    LONGEST,
    CoverageJson,
    CoverageQuery,
    CoverageRow,
    StorageJson,
    coverage_json,
    coverage_row,
    storage_json,
)
from web.http.visible_fleet import VisibleFleet, visible_fleet, with_merged_ids


def keeping() -> Keeping:
    return current_monitor().packages.find(VideoPackage).keeping


def coverage_report(query: CoverageQuery) -> CoverageJson:
    """The coverage of all cameras that this person may see, or of one, the worst first. Raises
    NotFound and Unreachable."""
    visible, (since, until) = visible_fleet(), _span(query)
    devices = viewable(visible)
    if query.camera is not None:
        camera = visible.device(str(query.camera))
        devices = {camera.id: camera}
    reports = keeping().coverage.report(list(devices), since, until)
    foreseen, limits = keeping().cleaner.storage().forecast, keeping().cleaner.limits()
    days = {each.device: each for each in (foreseen.days if foreseen else ())}
    rows = [
        coverage_row(
            report,
            labels.name_among(devices[report.device], visible.devices()),
            days.get(report.device),
            limits.days_for(report.device),
        )
        for report in reports
    ]
    return coverage_json(since, until, sorted(rows, key=_worst_first))


def _span(query: CoverageQuery) -> tuple[datetime, datetime]:
    """The time of a query, with what it leaves out."""
    now = current_monitor().clock()
    if query.since is not None:
        return query.since, query.until or min(query.since + LONGEST, max(now, query.since))
    until = query.until or now
    return until - DEFAULT, until


def _worst_first(row: CoverageRow) -> tuple[bool, float, str]:
    share = row["share"]
    return share is None, 0.0 if share is None else share, row["camera_name"]


def viewable(visible: VisibleFleet) -> Mapping[int, Device]:
    """The devices whose recordings this person may see."""
    devices = visible.devices()
    return {id: each for id, each in devices.items() if visible.may("recording.view", each)}


def storage() -> StorageJson:
    """The disk of the recordings, and the days of each camera that this person may see. Raises
    Unreachable."""
    visible = visible_fleet()
    devices = viewable(visible)
    names = {id: labels.name_among(device, devices) for id, device in devices.items()}
    return storage_json(keeping().cleaner.storage(), names, is_limited=visible.is_limited)


def link_days(device: Device) -> list[LinkDay]:
    """The newest days of the links to a camera. Raises Unreachable."""
    ids = with_merged_ids([device.id], current_monitor().redirects)
    return [day for id in ids for day in keeping().link_days(id)]
