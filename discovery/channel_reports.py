"""What a probe of a recorder says about its channels, and one of a channel about itself. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from fleet import identity, status
from fleet.channels import is_channel, part_of, parts_of
from fleet.model import Device, Finding, Miss, Report, Sighting
from fleet.reduce.channels import MAX_CHANNELS, MAX_RECORDS

LEFT_OUT = "channels.left-out"
"""The finding of a device with more channels than the list can hold."""
GONE, NO_PATH = "stream.missing", "stream.path"
NO_SIGNAL_OR_PATH = "no video signal, or a wrong path (RTSP 404)"
NOT_REPORTED = "the recorder no longer reports this channel"


def is_of_channel(report: Report) -> bool:
    """True for the sighting of a channel, which a recorder reports beside its own."""
    return isinstance(report, Sighting) and any(
        key.startswith(identity.CHANNEL) for key in report.identities
    )


def unreported(
    channels: Iterable[Device], reports: Sequence[Report], source: str, at: datetime
) -> list[Miss]:
    """The misses of the channels that the source reported before, and does not report now. A probe
    that lists no channels was not about them."""
    keys = {part for report in reports if is_of_channel(report) for part in _parts_of(report)}
    if not keys:
        return []
    return [
        Miss(f"id:{device.id}", source, at, NOT_REPORTED, device.site)
        for device in channels
        if source in device.states and not keys & parts_of(device)
    ]


def unreported_ids(reports: Iterable[Report]) -> list[int]:
    """The ids of the channels that the reports miss because the recorder no longer lists them."""
    return [
        int(report.identity.removeprefix("id:"))
        for report in reports
        if isinstance(report, Miss) and report.reason == NOT_REPORTED
    ]


def with_channels(
    recorder: Device,
    channels: Sequence[Device],
    reports: Sequence[Report],
    source: str,
    at: datetime,
) -> list[Report]:
    """The reports with the misses of the channels that are no longer reported, then the new ones,
    which get the places of those, and whether there is room for all."""
    known = {part for device in channels for part in parts_of(device)}
    others: list[Report] = []
    new: list[Report] = []
    for report in reports:
        is_new = is_of_channel(report) and not known & _parts_of(report)
        (new if is_new else others).append(report)
    others += unreported(channels, reports, source, at)
    return [*others, *new, *_room(recorder, channels, reports, source, at)]


def _room(
    recorder: Device,
    channels: Sequence[Device],
    reports: Sequence[Report],
    source: str,
    at: datetime,
) -> list[Finding]:
    """The finding that channels are left out, or its end; none where no channels were listed."""
    keys = {part for report in reports if is_of_channel(report) for part in _parts_of(report)}
    active = [device for device in channels if device.retired_at is None]
    gone = [device for device in active if not keys & parts_of(device)]
    new = keys - {part for device in channels for part in parts_of(device)}
    text = ""
    if len(keys) > MAX_CHANNELS:
        text = f"it reports {len(keys):,} channels, and only {MAX_CHANNELS} are in the list"
    elif len(active) + len(new) > MAX_RECORDS:
        text = (
            f"some of its new channels are not in the list, which has {len(gone)} that it no "
            "longer reports: delete or retire those"
        )
    if not keys:
        return []
    id, site = f"id:{recorder.id}", recorder.site
    return [Finding(id, LEFT_OUT, at, text, source, cleared=not text, site=site)]


def missed_along(channels: Iterable[Device], source: str, miss: Miss) -> list[Miss]:
    """The misses of the channels that this source knows only through the recorder, which it has
    missed: what it reported of them before is no proof of life any more."""
    return [
        replace(miss, identity=f"id:{device.id}", site=device.site)
        for device in channels
        if source in device.states and source not in device.access
    ]


def missed_beside(
    device: Device, channels: Iterable[Device], recorder: Device, source: str, miss: Miss
) -> list[Miss]:
    """The misses of the other channels at the server of a channel that missed, when nothing at
    the recorder answers and this is the second of them. Each of 128 would cost a time-out."""
    states = recorder.states.values()
    if not states or not all(status.is_missed(state) for state in states):
        return []
    server = _server(device, source)
    beside = [
        other
        for other in channels
        if other.id != device.id and source in other.states and _server(other, source) == server
    ]
    if not any(status.is_missed(other.states[source]) for other in beside):
        return []
    return [
        replace(miss, identity=f"id:{other.id}", site=other.site)
        for other in beside
        if not status.is_missed(other.states[source])
    ]


def _server(device: Device, source: str) -> tuple[object, ...] | None:
    """Where the channel is asked, whatever its path."""
    access = device.access.get(source)
    return None if access is None else (access.host, access.port, access.options.get("tls"))


def _parts_of(report: Report) -> set[str]:
    """The video sources of a sighting, whatever the key of the recorder is now."""
    keys = report.identities if isinstance(report, Sighting) else ()
    return {part_of(key) for key in keys if key.startswith(identity.CHANNEL)}


def of_channel(device: Device, source: str, reports: Sequence[Report]) -> list[Report]:
    """The reports about a channel. If the recorder no longer serves its path, only the recorder
    answered: the channel is missed, with that finding as the reason. A path that never worked can
    be wrong, or have no signal."""
    if not is_channel(device):
        return list(reports)
    reports = [_of_path(report) for report in reports]
    texts = [
        report.text
        for report in reports
        if isinstance(report, Finding) and report.kind == GONE and not report.cleared
    ]
    if not texts:
        return list(reports)
    return [
        Miss(f"id:{device.id}", source, report.at, texts[0], device.site, report.asked)
        if isinstance(report, Sighting)
        else report
        for report in reports
    ]


def _of_path(report: Report) -> Report:
    if isinstance(report, Finding) and report.kind == NO_PATH and not report.cleared:
        return replace(report, text=NO_SIGNAL_OR_PATH)
    return report
