"""Why a source may have found nothing: the likely causes, by what it sent, heard and refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from sources import net
from sources.source import Cause, Source
from web.http.monitor import Monitor
from web.http.shapes.scans import SourceRow
from web.http.visible_fleet import can, visible_fleet

REFUSED = Cause(
    "Something responded, but its datagrams were refused for the reasons above.",
    "Find out which device or program sends them; it may be of another manufacturer.",
)
HEARD_ONCE = Cause(
    "Devices responded only once in this scan. A device is added when it responds twice.",
    "Scan again. If that does not help, the network loses datagrams: check cables and Wi-Fi.",
)


MAX_ADDRESSES = 3
"""Addresses of one interface that are named."""


def with_addresses(names: Sequence[str]) -> list[str]:
    """The interfaces of a scan with their addresses now, such as `eth0 (192.168.1.5/24)`."""
    own: dict[str, list[str]] = {}
    for interface in net.interfaces() if names else ():
        text = f"{interface.address}/{interface.subnet.prefixlen}"
        own.setdefault(interface.name, []).append(text)
    return [
        f"{name} ({', '.join(own[name][:MAX_ADDRESSES])})" if name in own else name
        for name in names
    ]


@dataclass(frozen=True, slots=True)
class EmptyResult:
    """The result of a source that found nothing, and the likely causes."""

    row: SourceRow
    causes: Sequence[Cause]


def likely_causes(source: Source, row: SourceRow) -> Sequence[Cause]:
    """None where devices were found, and where a failure says by itself what to do."""
    if row["found"] or row["state"] == "asking" or (row["failed"] and not row["requests"]):
        return ()
    if row["refused"]:
        return (REFUSED, *source.causes)
    if row["answers"]:
        return (HEARD_ONCE,)
    return source.causes


def empty_results(monitor: Monitor) -> list[EmptyResult]:
    """What each source did in the last scan, if that found nothing at all, and this person may
    know it."""
    last = visible_fleet().last_scan() if can("scan.view") else None
    if not last or last.get("found") != 0:
        return []
    by_name = monitor.scanner.sources
    rows = [row for row in last.get("sources", ()) if row["name"] in by_name]
    return [EmptyResult(row, likely_causes(by_name[row["name"]], row)) for row in rows]
