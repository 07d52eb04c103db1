"""Correct the fleet after a step of the system clock; trust in the clock. Pure.

Time is not ours: a flat battery, a wrong time server or a person sets the clock by years.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fleet.model import ClockStep, Device, SourceState
from fleet.reduce.draft import Draft

LEAP = timedelta(days=1)
"""Beyond so much more than the program itself has run, the clock is not believed yet."""
BELIEVED_AFTER = timedelta(days=1).total_seconds()
"""Seconds that the program runs until it believes the clock all the same."""


def apply_step(draft: Draft, report: ClockStep) -> None:
    """Limit all times to the new clock and record the event. A time in the future would make
    later sightings and misses look older."""
    for device in tuple(draft.devices.values()):
        bounded = _limit_times(device, report.at)
        if bounded is not device:
            draft.put(bounded)
    way = "ahead" if report.seconds > 0 else "back"
    text = f"The clock of this server jumped {way} by {duration_text(abs(report.seconds))}"
    draft.add_event("server.clock", None, text, after={"seconds": round(report.seconds)})


def _limit_times(device: Device, now: datetime) -> Device:
    """The device with no time of its state after `now`."""
    times = (
        device.last_seen,
        device.moved_at,
        *(time for state in device.states.values() for time in _times(state)),
        *device.claims.values(),
        *(time for known in device.source_addresses.values() for time in known.values()),
        *(time for known in device.interfaces.values() for time in known.values()),
    )
    if all(time is None or time <= now for time in times):
        return device
    return replace(
        device,
        last_seen=_earlier(device.last_seen, now),
        moved_at=_earlier(device.moved_at, now),
        states={source: _limit_state(state, now) for source, state in device.states.items()},
        claims=_limit_all(device.claims, now),
        source_addresses={
            source: _limit_all(known, now) for source, known in device.source_addresses.items()
        },
        interfaces={key: _limit_all(known, now) for key, known in device.interfaces.items()},
    )


def _times(state: SourceState) -> tuple[datetime | None, ...]:
    return state.seen_at, state.missed_at, state.asked


def _limit_state(state: SourceState, now: datetime) -> SourceState:
    seen, missed, asked = (_earlier(time, now) for time in _times(state))
    return replace(state, seen_at=seen, missed_at=missed, asked=asked)


def _limit_all(times: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    return {key: min(at, now) for key, at in times.items()}


def _earlier(at: datetime | None, now: datetime) -> datetime | None:
    return None if at is None else min(at, now)


def newest_time(devices: Mapping[int, Device]) -> datetime | None:
    """The newest time at which any device was seen or asked."""
    times = (
        time
        for device in devices.values()
        for time in (
            device.last_seen,
            *(at for state in device.states.values() for at in _times(state)),
        )
    )
    return max((time for time in times if time), default=None)


def duration_text(seconds: float) -> str:
    """A length of time in two units: "2 h 5 min"."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    left, words = round(seconds), []
    for name, size in units:
        number, left = divmod(left, size)
        if number:
            words.append(f"{number} {name}")
    return " ".join(words[:2]) or "0 s"


@dataclass(frozen=True, slots=True)
class Trust:
    """Trust in the clock. `at`: the newest time that was; `last`: the newest
    reading; `ran`: seconds that the program has run between the two, without another leap."""

    at: datetime
    last: datetime
    ran: float = 0.0

    @property
    def seconds_ahead(self) -> float | None:
        """Seconds by which the clock is ahead of what is believed; None while it is believed."""
        if self.at == self.last:
            return None
        return (self.last - self.at).total_seconds() - self.ran


def with_reading(trust: Trust, now: datetime, seconds: float) -> Trust:
    """The trust after a reading of `now`; the program ran for `seconds` since the last one.

    A clock that leapt ahead of it all is believed after the program has run for a day with it.
    """
    ran = trust.ran + seconds
    if now - trust.at <= LEAP + timedelta(seconds=ran):
        return Trust(now, now)
    elapsed = (now - trust.last).total_seconds()
    if trust.seconds_ahead is not None and abs(elapsed - seconds) > LEAP.total_seconds():
        ran = 0.0
    return Trust(now, now) if ran >= BELIEVED_AFTER else Trust(trust.at, now, ran)
