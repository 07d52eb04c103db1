"""The devices that a scan asked and that did not answer. Pure."""

from collections.abc import Iterable
from datetime import datetime

from fleet.channels import is_channel
from fleet.model import Coverage, Device, Miss


def missed(
    devices: Iterable[Device],
    coverage: Coverage,
    started: datetime,
    now: datetime,
    probes: bool = False,
) -> list[Miss]:
    """A Miss for each device that one source asked since `started` and that did not answer. With
    `probes` the source judges devices that have access for it by their own probes."""
    return [
        Miss(
            device.identities[0],
            coverage.source,
            now,
            _reason(device, coverage),
            device.site,
            started,
        )
        for device in devices
        if _was_asked(device, coverage)
        and not _answered(device, coverage, started)
        and not (probes and _is_probed(device, coverage.source))
    ]


def _is_probed(device: Device, source: str) -> bool:
    """True for a device with access for the source, and for a channel: no scan hears a channel,
    only a probe of its recorder reports it."""
    return source in device.access or is_channel(device)


def _was_asked(device: Device, coverage: Coverage) -> bool:
    """The scan asked where this device was last heard by this source."""
    state = device.states.get(coverage.source)
    if state is None or device.retired_at is not None:
        return False
    if state.scope is None:
        return True
    return state.scope in coverage.scopes and state.scope not in coverage.failed


def _answered(device: Device, coverage: Coverage, started: datetime) -> bool:
    state = device.states[coverage.source]
    heard = state.seen_at is not None and state.seen_at >= started
    return heard or (state.asked == started and state.misses == 0)


def _reason(device: Device, coverage: Coverage) -> str:
    scope = device.states[coverage.source].scope
    where = f" on {scope.partition(':')[2]}" if scope else ""
    number = coverage.by_scope.get(scope or "", coverage.requests)
    return f"no response to {number} {'request' if number == 1 else 'requests'}{where}"
