"""The devices of the visible fleet that a list's query selects."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fleet.attention import Attention
from fleet.kinds import CAMERAS
from fleet.model import Device
from fleet.queries import DevicePage, select
from web.http.shapes.devices import ListQuery
from web.http.visible_fleet import stores_of, visible_fleet

Query = TypeVar("Query", bound=ListQuery)
Snapshot = tuple[Mapping[int, Device], Mapping[int, str]]
"""Devices and their statuses, read together: what one has, the other has."""


def unpaged(query: Query, **changes: Any) -> Query:
    """The query of the whole list instead of one of its pages, with other values too."""
    return query.model_copy(update={"page": None, "per_page": None, **changes})


def selected(query: ListQuery, snapshot: Snapshot | None = None) -> DevicePage:
    """The page of devices that the query selects, of those that the viewer sees."""
    devices, statuses = snapshot or visible_fleet().statuses()
    stores = stores_of(devices) if query.store else {}
    matching = within_attention(devices, query, (devices, statuses))
    return select(matching.values(), statuses, query.filter(), CAMERAS, stores, devices)


def within_attention(
    some: Mapping[int, Device], query: ListQuery, snapshot: Snapshot
) -> Mapping[int, Device]:
    """Those of `some` that the filter `attention` of the query leaves, in the whole snapshot."""
    if not query.attention:
        return some
    wanted = current_attention(snapshot).devices(query.attention)
    return {id: device for id, device in some.items() if id in wanted}


def current_attention(snapshot: Snapshot | None = None) -> Attention:
    """What needs attention now among the devices that the viewer sees."""
    devices, statuses = snapshot or visible_fleet().statuses()
    monitor = visible_fleet().monitor
    return monitor.attention.of(devices, statuses, monitor.clock())
