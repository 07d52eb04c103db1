"""Read the reports of a trial: who answered, what is wrong, which streams and channels it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from fleet import identity
from fleet.channels import STREAM, stream_access
from fleet.model import Finding, Report, Sighting
from sources.source import SessionRefused

Reports = Sequence[Report] | BaseException
"""The reports of one probe, or what it raised."""


def sightings_of(reports: Reports) -> list[Sighting]:
    if isinstance(reports, SessionRefused):
        reports = reports.reports
    if isinstance(reports, BaseException):
        return []
    return [report for report in reports if isinstance(report, Sighting)]


def findings_of(reports: Reports) -> dict[str, Finding]:
    if isinstance(reports, SessionRefused):
        reports = reports.reports
    if isinstance(reports, BaseException):
        return {}
    findings = [report for report in reports if isinstance(report, Finding)]
    return {finding.kind: finding for finding in findings if not finding.cleared}


def certificate_of(reports: Reports) -> str | None:
    """The fingerprint of the certificate that the source met, if any."""
    learned = [sighting.learned for sighting in sightings_of(reports) if sighting.learned]
    return next((known.tls_pin for known in learned if known.tls_pin), None)


def is_channel(sighting: Sighting) -> bool:
    return any(key.startswith(identity.CHANNEL) for key in sighting.identities)


def identity_of(sightings: Sequence[Sighting]) -> dict[str, Any]:
    """What the device itself says of itself."""
    facts: dict[str, Any] = {}
    for sighting in sightings:
        if is_channel(sighting):
            continue
        own = {name: getattr(sighting, name) for name in ("name", "model", "serial", "firmware")}
        own["mac"] = next(iter(identity.macs(sighting.identities)), None)
        facts |= {key: value for key, value in own.items() if value and key not in facts}
    return facts


def channels_of(sightings: Sequence[Sighting]) -> list[dict[str, Any]]:
    """The channels of a recorder, each with its name and stream."""
    return [
        {
            "name": sighting.name,
            **sighting.facts,
            **_stream_place(sighting),
            "key": next(key for key in sighting.identities if key.startswith(identity.CHANNEL)),
        }
        for sighting in sightings
        if is_channel(sighting)
    ]


def _stream_place(sighting: Sighting) -> dict[str, Any]:
    """Path of the stream, its port unless that is the usual one, and whether it is encrypted."""
    stream = stream_access(sighting.links.get(STREAM))
    if stream is None:
        return {"path": ""}
    place = {"port": stream.port, "tls": stream.options.get("tls")}
    return {"path": stream.path} | {name: value for name, value in place.items() if value}


def streams_of(sightings: Sequence[Sighting]) -> list[dict[str, Any]]:
    """The streams of a camera: those in its facts `streams`, else the one of its link."""
    for sighting in sightings:
        if is_channel(sighting):
            continue
        listed = sighting.facts.get("streams")
        if isinstance(listed, list | tuple) and listed:
            return [dict(stream) for stream in listed if isinstance(stream, Mapping)]
        if "stream" in sighting.links or sighting.facts:
            plain = {
                key: value
                for key, value in sighting.facts.items()
                if not isinstance(value, list | tuple | Mapping)
            }
            return [plain | (_stream_place(sighting) if STREAM in sighting.links else {})]
    return []


def stream_text(facts: Mapping[str, Any]) -> str:
    """A stream in words: codec, size, rate."""
    parts = [str(facts["codec"])] if facts.get("codec") else []
    if facts.get("width") and facts.get("height"):
        parts.append(f"{facts['width']} × {facts['height']}")
    if facts.get("rate"):
        parts.append(f"{facts['rate']:g} fps" if isinstance(facts["rate"], int | float) else "")
    return ", ".join(part for part in parts if part) or "The device offers a stream"
