"""GetSystemDateAndTime (ONVIF Core 8.3.6), in the shapes that real devices give it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def element(name: str, when: datetime, hour: int | None = None, attribute: str = "") -> str:
    """UTCDateTime or LocalDateTime, with an hour that need not exist."""
    hour = when.hour if hour is None else hour
    return (
        f"<tt:{name}{attribute}><tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{when.minute}"
        f"</tt:Minute><tt:Second>{when.second}</tt:Second></tt:Time><tt:Date><tt:Year>{when.year}"
        f"</tt:Year><tt:Month>{when.month}</tt:Month><tt:Day>{when.day}</tt:Day></tt:Date>"
        f"</tt:{name}>"
    )


def _zone(text: str) -> str:
    return f"<tt:TimeZone><tt:TZ>{text}</tt:TZ></tt:TimeZone>" if text else ""


def usual(utc: datetime, local: datetime, zone: str) -> str:
    return _zone(zone) + element("UTCDateTime", utc) + element("LocalDateTime", local)


def no_utc(utc: datetime, local: datetime, zone: str) -> str:
    return _zone(zone) + element("LocalDateTime", local)


def no_zone(utc: datetime, local: datetime, zone: str) -> str:
    return element("UTCDateTime", utc) + element("LocalDateTime", local)


def utc_only(utc: datetime, local: datetime, zone: str) -> str:
    return _zone("GMT0") + element("UTCDateTime", utc)


def local_only(utc: datetime, local: datetime, zone: str) -> str:
    return element("LocalDateTime", local)


def nothing(utc: datetime, local: datetime, zone: str) -> str:
    return _zone(zone)


def old(utc: datetime, local: datetime, zone: str) -> str:
    """A clock whose battery is empty."""
    return usual(utc.replace(year=1979, month=1, day=1), local.replace(year=1979), zone)


def odd_zone(utc: datetime, local: datetime, zone: str) -> str:
    """A zone that is not POSIX, and an attribute that nobody expects."""
    return _zone("MoroccoStandardTime0") + element("UTCDateTime", utc, attribute=' ZONE="Earth"')


def hour_24(utc: datetime, local: datetime, zone: str) -> str:
    """The hour after midnight as 24 of the day before, any other as it is."""
    yesterday = utc - timedelta(days=1)
    shown = element("UTCDateTime", yesterday, 24) if not utc.hour else element("UTCDateTime", utc)
    return _zone(zone) + shown


def minute_61(utc: datetime, local: datetime, zone: str) -> str:
    """A minute that is carried into the hour."""
    hour_ago = utc - timedelta(hours=1)
    minutes = f"<tt:Minute>{hour_ago.minute + 60}</tt:Minute>"
    shown = element("UTCDateTime", hour_ago)
    return _zone(zone) + shown.replace(f"<tt:Minute>{hour_ago.minute}</tt:Minute>", minutes)


def local_as_utc(utc: datetime, local: datetime, zone: str) -> str:
    return _zone(zone) + element("UTCDateTime", local) + element("LocalDateTime", local)


def text(utc: datetime, local: datetime, zone: str) -> str:
    """One text in place of the elements, with a dash before the time."""
    return _zone(zone) + f"<tt:UTCDateTime>{utc:%Y-%m-%d-%H:%M:%SZ}</tt:UTCDateTime>"


def words(utc: datetime, local: datetime, zone: str) -> str:
    """Numbers that are none."""
    return _zone(zone) + element("UTCDateTime", utc).replace(
        f"<tt:Year>{utc.year}", "<tt:Year>this year"
    )


SHAPES: dict[str, Callable[[datetime, datetime, str], str]] = {
    "usual": usual,
    "no-utc": no_utc,
    "no-zone": no_zone,
    "utc-only": utc_only,
    "local-only": local_only,
    "nothing": nothing,
    "1979": old,
    "odd-zone": odd_zone,
    "hour-24": hour_24,
    "minute-61": minute_61,
    "local-as-utc": local_as_utc,
    "text": text,
    "words": words,
}


def date_and_time(shape: str, offset: float, zone: str, zone_offset: float, daylight: bool) -> str:
    """The SystemDateAndTime element of a clock that is `offset` seconds ahead."""
    utc = datetime.now(UTC) + timedelta(seconds=offset)
    local = utc + timedelta(seconds=zone_offset)
    return (
        "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
        f"<tt:DaylightSavings>{str(daylight).lower()}</tt:DaylightSavings>"
        f"{SHAPES[shape](utc, local, zone)}</tds:SystemDateAndTime>"
    )
