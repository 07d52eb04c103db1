"""Template filters for times and durations."""

from datetime import date, datetime, timedelta

from flask import Flask
from markupsafe import Markup

from web.http.monitor import current_monitor

UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def register(app: Flask) -> None:
    app.jinja_env.filters["ago"] = ago
    app.jinja_env.filters["clock"] = clock
    app.jinja_env.filters["time_until"] = time_until
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.filters["lasting"] = lasting
    app.jinja_env.filters["day"] = day
    app.jinja_env.globals.update(zone=zone, utc_offset=utc_offset)


def span(length: timedelta) -> str:
    """A duration such as `14 min`, `2 d 3 h`; under a minute in seconds."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{max(seconds, 0)} s"
    for place, (size, unit) in enumerate(UNITS):
        if seconds >= size:
            text = f"{seconds // size} {unit}"
            rest = seconds % size
            if place < len(UNITS) - 1 and rest >= UNITS[place + 1][0]:
                text += f" {rest // UNITS[place + 1][0]} {UNITS[place + 1][1]}"
            return text
    return ""


def length_text(seconds: float) -> str:
    return span(timedelta(seconds=seconds))


def ago(text: str | None) -> Markup:
    """A `<time>` such as "12 s ago", with the full local time on hover."""
    if not text:
        return Markup("never")
    at = datetime.fromisoformat(text)
    length = current_monitor().clock() - at
    # A few seconds ahead are another clock's fault, not the future.
    words = "just now" if length < timedelta(seconds=10) else f"{span(length)} ago"
    return _relative(at, "past", words)


def time_until(text: str | None) -> Markup:
    """A `<time>` such as "in 12 s"."""
    if not text:
        return Markup("never")
    at = datetime.fromisoformat(text)
    length = at - current_monitor().clock()
    return _relative(at, "next", f"in {span(length)}" if length > timedelta() else "now")


def moment(value: str | datetime | None) -> Markup:
    """A `<time>` in two forms, of which the page shows one: "3 h ago", and date, time and zone."""
    return _both(value, "past")


def lasting(value: str | datetime | None) -> Markup:
    """A `<time>` in two forms: "for 3 h", and "since" with date, time and zone."""
    return _both(value, "for")


def _both(value: str | datetime | None, kind: str) -> Markup:
    if not value:
        return Markup("never")
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    length = current_monitor().clock() - at
    if kind == "for":
        relative, full = f"for {span(length)}", f"since {exact(at)}"
    else:
        relative = "just now" if length < timedelta(seconds=10) else f"{span(length)} ago"
        full = exact(at)
    shape = (
        '<time datetime="{}" data-both="{}" title="{}"><span class="rel">{}</span>'
        '<span class="abs">{}</span></time>'
    )
    return Markup(shape).format(at.isoformat(), kind, exact(at), relative, full)  # nosec B704  a shape of ours; its values are escaped


def exact(at: datetime) -> str:
    """Such as "27 Nov 2026, 09:12:03 CET", in the zone of this server."""
    return at.astimezone().strftime("%-d %b %Y, %H:%M:%S %Z")


def zone() -> str:
    """The name of this server's zone now."""
    return current_monitor().clock().astimezone().strftime("%Z")


def utc_offset() -> int:
    """The minutes by which this server's zone is ahead of UTC now."""
    offset = current_monitor().clock().astimezone().utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def day(value: date) -> str:
    """Such as "27 Nov 2026"."""
    return value.strftime("%-d %b %Y")


def _relative(at: datetime, kind: str, words: str) -> Markup:
    full = at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    shape = Markup('<time datetime="{}" data-ago="{}" title="{}">{}</time>')
    return shape.format(at.isoformat(), kind, full, words)


def clock(value: str | datetime | None) -> Markup:
    """A `<time>` with date and time in the zone of this server."""
    if not value:
        return Markup("never")
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = at.astimezone()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(), local.strftime("%Z"), local.strftime("%Y-%m-%d %H:%M:%S")
    )
