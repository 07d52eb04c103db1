"""Who gets what, route by route. A new route gets its line in TABLE, decided by a person.

A letter for each kind of person, who asks about camera OWN or another one (the event for
undo is theirs in the same way); where the URL names none, both are the same request:

    stranger · Vera, a viewer · Otto, an operator · Ada, an admin
    Lea, granted to view OWN:             of her own, of another
    Gus, granted admin on OWN:            of his own, of another
    a token that reads, one that operates, both of Ada
    a token of Ada that operates on OWN:  of its own, of another

`+` let in · `L` log in first (401) · `-` may not (403) · `0` there is no such camera (404)
"""

import re
from typing import Any

from werkzeug.test import TestResponse

from tests.accounts.people import PASSWORD
from tests.home import Home
from tests.web.closed import OTHER, OWN, Visitor, body_of, path_of

Ask = dict[str, Visitor]

COLUMNS = (
    *("stranger", "Vera", "Otto", "Ada", "Lea", "Lea/other", "Gus", "Gus/other"),
    *("read token", "operate token", "camera token", "camera token/other"),
)

#            strangers  Lea Gus tokens
#            roles ↓    ↓   ↓   ↓   one camera
# Open to everybody, logged in or not.
OPEN = "     ++++       ++  ++  ++  ++"
# What a login has no key for: 401 for everybody.
SHUT = "     LLLL       LL  LL  LL  LL"
# A list: everybody gets the rows of the devices that they may see.
SEE_ALL = "  L+++       ++  ++  ++  ++"
# One device, for whom may see it.
SEE = "      L+++       +0  +0  ++  +0"
# Change one device: operators, and whom it is granted to.
EDIT = "     L-++       -0  +0  -+  +0"
# Change those of many devices that are granted: operators, and whom some are granted to.
EDIT_MANY = " L-++       --  ++  -+  ++"
# Check one device now: operators, and whom more than viewing it is granted to.
POLL = "     L-++       -0  +0  -+  +0"
# Record one device: operators, and nobody by a level alone: the grant must name it.
RECORD = "   L-++       -0  -0  -+  +0"
# Merge or split devices: operators who see all devices.
JOIN = "     L-++       -0  -0  -+  -0"
# Schedules, which the bodies here name for no camera: operators, and whom the right is granted to.
SCHEDULE = " L-++       --  --  -+  ++"
# Undo an edit, for whom may make it.
UNDO = "     L-++       --  +0  -+  +0"
# What is about all devices at once, read only: who sees them all.
WATCH = "    L+++       --  --  ++  --"
# The settings, read only: operators who see all devices.
LOOK_IN = "  L-++       --  --  ++  --"
# Start something for all devices: operators who see them all, and tokens that operate.
OPERATE = "  L-++       --  --  -+  --"
# Accounts and what cannot be undone: admins who are logged in, and no token.
MANAGE = "   L--+       --  --  --  --"
# The audit log: admins and their tokens.
READ_LOG = " L--+       --  --  ++  --"
# About the person who asks, read only: everybody who is logged in, and every token.
OWN_LOOK = " L+++       ++  ++  ++  ++"
# Passwords and tokens of the person who asks: everybody who is logged in, and no token.
OWN_KEYS = " L+++       ++  ++  --  --"
# Change recordings: operators, and whom a camera is granted to with the right to record.
KEEP = "     L-++       --  --  -+  ++"
# Share recordings: whom one can be granted to with the right to download, and tokens that operate.
SHARE = "    L+++       --  --  -+  ++"

TABLE = {
    ("GET", "/static/<path:filename>"): OPEN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/login"): OPEN,
    ("POST", "/login"): OPEN,
    ("POST", "/api/auth/login"): OPEN,
    # Its key is the refresh token, which nobody shows here.
    ("POST", "/api/auth/refresh"): SHUT,
    # There is an account already.
    ("GET", "/setup"): SHUT,
    ("POST", "/setup"): SHUT,
    ("GET", "/"): SEE_ALL,
    ("GET", "/sites"): SEE_ALL,
    ("GET", "/settings/workbook"): OPERATE,
    ("POST", "/settings/workbook"): OPERATE,
    ("POST", "/settings/workbook/commit"): OPERATE,
    ("POST", "/settings/workbook/serial"): OPERATE,
    ("POST", "/settings/workbook/undo"): OPERATE,
    ("GET", "/filters"): SEE_ALL,
    ("GET", "/views"): SEE_ALL,
    ("GET", "/parts/top"): SEE_ALL,
    ("GET", "/parts/rows"): SEE_ALL,
    ("GET", "/parts/names"): SEE_ALL,
    ("GET", "/parts/choices"): SEE_ALL,
    ("GET", "/parts/suggestions"): SEE_ALL,
    ("GET", "/api/cameras"): SEE_ALL,
    ("GET", "/api/live"): SEE_ALL,
    ("GET", "/api/cameras/<key>/live.mp4"): SEE,
    ("GET", "/api/cameras/<key>/stream"): SEE,
    ("GET", "/v0/api/cctv/cameras/<key>/stream"): SEE,
    ("GET", "/v0/api/cctv/streams"): LOOK_IN,
    ("GET", "/v0/api/cctv/streams/active"): LOOK_IN,
    ("GET", "/wall"): SEE_ALL,
    ("GET", "/wall/edit"): SEE_ALL,
    ("POST", "/wall"): OWN_KEYS,
    # Its key is the token in the link, which nobody has here.
    ("GET", "/wall/shared/<token>"): OPEN,
    ("GET", "/wall/shared/<token>/live"): OPEN,
    ("GET", "/api/stats"): SEE_ALL,
    ("GET", "/api/events"): SEE_ALL,
    ("GET", "/api/dvrs"): SEE_ALL,
    ("GET", "/api/search"): SEE_ALL,
    ("GET", "/api/download.csv"): SEE_ALL,
    ("GET", "/api/download.xlsx"): SEE_ALL,
    ("GET", "/api/export"): SEE_ALL,
    ("GET", "/metrics"): SEE_ALL,
    ("POST", "/columns"): OWN_KEYS,
    ("POST", "/api/cameras/bulk"): EDIT_MANY,
    ("POST", "/api/cameras/bulk/undo"): EDIT_MANY,
    ("POST", "/bulk"): EDIT_MANY,
    ("POST", "/bulk/undo"): EDIT_MANY,
    ("GET", "/cameras/add"): OPERATE,
    ("POST", "/cameras/add"): OPERATE,
    ("GET", "/cameras/<key>/connection"): EDIT,
    ("POST", "/cameras/<key>/connection"): EDIT,
    ("GET", "/cameras/import"): OPERATE,
    ("POST", "/cameras/import"): OPERATE,
    ("POST", "/cameras/import/save"): OPERATE,
    ("POST", "/cameras/import/refused"): OPERATE,
    ("POST", "/api/cameras/import"): OPERATE,
    ("GET", "/scan-range"): OPERATE,
    ("POST", "/scan-range"): OPERATE,
    ("POST", "/scan-range/stop"): OPERATE,
    ("POST", "/scan-range/inbox"): OPERATE,
    ("GET", "/api/scan-range"): WATCH,
    ("POST", "/api/scan-range"): OPERATE,
    ("DELETE", "/api/scan-range"): OPERATE,
    ("POST", "/api/scan-range/inbox"): OPERATE,
    ("GET", "/cameras/<key>"): SEE,
    ("GET", "/cameras/<key>/check"): SEE,
    ("GET", "/parts/camera/<key>"): SEE,
    ("GET", "/parts/camera/<key>/events"): SEE,
    ("GET", "/events"): SEE_ALL,
    ("GET", "/parts/events"): SEE_ALL,
    ("GET", "/api/camera/<key>"): SEE,
    ("GET", "/api/camera/<key>/uptime"): SEE,
    ("PATCH", "/api/camera/<key>"): EDIT,
    ("POST", "/api/cameras"): OPERATE,
    ("POST", "/api/cameras/test"): OPERATE,
    ("GET", "/api/cameras/<key>"): SEE,
    ("PUT", "/api/cameras/<key>"): EDIT,
    ("PATCH", "/api/cameras/<key>"): EDIT,
    ("DELETE", "/api/cameras/<key>"): MANAGE,
    ("POST", "/api/cameras/<key>/test"): POLL,
    ("GET", "/api/devices"): SEE_ALL,
    ("POST", "/api/devices"): OPERATE,
    ("GET", "/api/devices/<key>"): SEE,
    ("PUT", "/api/devices/<key>"): EDIT,
    ("PATCH", "/api/devices/<key>"): EDIT,
    ("DELETE", "/api/devices/<key>"): MANAGE,
    ("POST", "/api/devices/<key>/poll"): POLL,
    ("GET", "/schedules"): SEE_ALL,
    ("POST", "/schedules"): SCHEDULE,
    ("GET", "/schedules/edit"): SEE_ALL,
    ("POST", "/schedules/edit"): SCHEDULE,
    ("GET", "/api/schedules"): SEE_ALL,
    ("POST", "/api/schedules"): SCHEDULE,
    ("GET", "/api/schedules/<int:id>"): SEE_ALL,
    ("PUT", "/api/schedules/<int:id>"): SCHEDULE,
    ("PATCH", "/api/schedules/<int:id>"): SCHEDULE,
    ("DELETE", "/api/schedules/<int:id>"): SCHEDULE,
    ("POST", "/api/schedules/<int:id>/activate"): SCHEDULE,
    ("POST", "/api/schedules/<int:id>/deactivate"): SCHEDULE,
    ("GET", "/v0/api/cctv/schedules"): SEE_ALL,
    ("POST", "/v0/api/cctv/schedules"): SCHEDULE,
    ("GET", "/v0/api/cctv/schedules/<int:id>"): SEE_ALL,
    ("PUT", "/v0/api/cctv/schedules/<int:id>"): SCHEDULE,
    ("PATCH", "/v0/api/cctv/schedules/<int:id>"): SCHEDULE,
    ("DELETE", "/v0/api/cctv/schedules/<int:id>"): SCHEDULE,
    ("POST", "/v0/api/cctv/schedules/<int:id>/activate"): SCHEDULE,
    ("POST", "/v0/api/cctv/schedules/<int:id>/deactivate"): SCHEDULE,
    ("POST", "/api/schedules/<int:id>/undo"): SCHEDULE,
    ("GET", "/v0/api/cctv/cameras"): SEE_ALL,
    ("POST", "/v0/api/cctv/cameras"): OPERATE,
    ("GET", "/v0/api/cctv/cameras/<key>"): SEE,
    ("PUT", "/v0/api/cctv/cameras/<key>"): EDIT,
    ("PATCH", "/v0/api/cctv/cameras/<key>"): EDIT,
    ("DELETE", "/v0/api/cctv/cameras/<key>"): MANAGE,
    ("POST", "/v0/api/cctv/cameras/<key>/test_connection"): POLL,
    ("POST", "/v0/api/cctv/cameras/<key>/start_recording"): RECORD,
    ("POST", "/v0/api/cctv/cameras/<key>/stop_recording"): RECORD,
    ("GET", "/v0/api/cctv/cameras/<key>/recording_status"): SEE,
    ("POST", "/api/camera/<key>/retire"): EDIT,
    ("POST", "/api/camera/<key>/restore"): EDIT,
    ("POST", "/api/camera/<key>/merge"): JOIN,
    ("POST", "/api/camera/<key>/split"): JOIN,
    ("POST", "/cameras/<key>/check"): POLL,
    ("POST", "/cameras/<key>/record"): RECORD,
    ("POST", "/cameras/<key>/edit"): EDIT,
    ("POST", "/cameras/<key>/merge"): JOIN,
    ("POST", "/cameras/<key>/split"): JOIN,
    ("POST", "/cameras/<key>/serial"): OPERATE,
    ("POST", "/undo/<int:event>"): UNDO,
    ("POST", "/api/undo"): UNDO,
    ("GET", "/api/scan"): WATCH,
    ("POST", "/api/scan"): OPERATE,
    ("POST", "/api/refresh"): OPERATE,
    ("POST", "/api/update-p2p"): OPERATE,
    ("DELETE", "/api/scan"): OPERATE,
    ("POST", "/scan"): OPERATE,
    ("POST", "/check"): OPERATE,
    ("POST", "/api/dvrs/check"): OPERATE,
    ("POST", "/scan/stop"): OPERATE,
    ("POST", "/api/auto-scan"): OPERATE,
    ("POST", "/auto-scan"): OPERATE,
    ("GET", "/api/jobs"): LOOK_IN,
    ("GET", "/settings"): LOOK_IN,
    ("GET", "/settings/sources"): LOOK_IN,
    ("GET", "/settings/jobs"): LOOK_IN,
    ("GET", "/settings/about"): LOOK_IN,
    ("POST", "/api/jobs/<name>/run"): OPERATE,
    ("POST", "/settings/jobs/<name>/run"): OPERATE,
    ("POST", "/api/cleanup"): MANAGE,
    ("GET", "/settings/cleanup"): MANAGE,
    ("GET", "/settings/ignored"): OPERATE,
    ("POST", "/settings/ignored"): OPERATE,
    ("POST", "/settings/cleanup"): MANAGE,
    ("POST", "/settings/cleanup/delete"): MANAGE,
    ("POST", "/api/delete"): MANAGE,
    ("DELETE", "/api/camera/<key>"): MANAGE,
    ("POST", "/cameras/<key>/delete"): MANAGE,
    ("POST", "/api/clock/confirm"): MANAGE,
    ("POST", "/settings/clock"): MANAGE,
    ("POST", "/api/keys/rotate"): MANAGE,
    ("GET", "/openapi.json"): OWN_LOOK,
    ("GET", "/api/docs"): OWN_LOOK,
    ("GET", "/logo"): OWN_LOOK,
    ("GET", "/manifest.webmanifest"): OWN_LOOK,
    ("POST", "/theme"): OWN_LOOK,
    ("GET", "/parts/palette"): OWN_LOOK,
    ("GET", "/account"): OWN_LOOK,
    ("GET", "/api/auth/profile"): OWN_LOOK,
    ("POST", "/api/auth/logout"): OWN_LOOK,
    ("POST", "/logout"): OWN_LOOK,
    ("POST", "/api/auth/password"): OWN_KEYS,
    ("POST", "/account/password"): OWN_KEYS,
    ("POST", "/views"): OWN_KEYS,
    ("GET", "/api/tokens"): OWN_KEYS,
    ("POST", "/api/tokens"): OWN_KEYS,
    ("DELETE", "/api/tokens/<int:id>"): OWN_KEYS,
    ("POST", "/account/tokens"): OWN_KEYS,
    ("POST", "/account/tokens/<int:id>/revoke"): OWN_KEYS,
    ("GET", "/api/credentials"): MANAGE,
    ("POST", "/api/credentials"): MANAGE,
    ("GET", "/api/credentials/<id>"): MANAGE,
    ("PATCH", "/api/credentials/<id>"): MANAGE,
    ("PUT", "/api/credentials/<id>"): MANAGE,
    ("DELETE", "/api/credentials/<id>"): MANAGE,
    ("GET", "/settings/credentials"): MANAGE,
    ("POST", "/settings/credentials"): MANAGE,
    ("GET", "/settings/credentials/<id>"): MANAGE,
    ("POST", "/settings/credentials/<id>"): MANAGE,
    ("GET", "/api/users"): MANAGE,
    ("POST", "/api/users"): MANAGE,
    ("GET", "/api/users/<int:id>"): MANAGE,
    ("PATCH", "/api/users/<int:id>"): MANAGE,
    ("DELETE", "/api/users/<int:id>"): MANAGE,
    ("GET", "/api/users/<int:id>/grants"): MANAGE,
    ("POST", "/api/users/<int:id>/grants"): MANAGE,
    ("DELETE", "/api/users/<int:id>/grants/<int:number>"): MANAGE,
    ("DELETE", "/api/users/<int:id>/tokens/<int:number>"): MANAGE,
    ("GET", "/settings/users"): MANAGE,
    ("POST", "/settings/users"): MANAGE,
    ("GET", "/settings/users/<int:id>"): MANAGE,
    ("POST", "/settings/users/<int:id>"): MANAGE,
    ("POST", "/settings/users/<int:id>/grants"): MANAGE,
    ("POST", "/settings/users/<int:id>/tokens/<int:number>/revoke"): MANAGE,
    ("GET", "/v0/api/cctv/recordings"): SEE_ALL,
    ("GET", "/v0/api/cctv/recordings/<int:id>"): SEE_ALL,
    ("GET", "/v0/api/cctv/recordings/<int:id>/download"): SEE_ALL,
    ("GET", "/api/recordings"): SEE_ALL,
    ("GET", "/stills"): SEE_ALL,
    ("GET", "/cameras/<key>/stills"): SEE,
    ("GET", "/api/cameras/<key>/stills"): SEE,
    ("POST", "/api/cameras/<key>/stills"): SEE,
    ("GET", "/api/cameras/<key>/stills/newest"): SEE,
    ("GET", "/api/cameras/<key>/stills/<int:id>"): SEE,
    ("GET", "/api/cameras/<key>/stills/archive"): SEE,
    ("GET", "/api/stills/archive"): SEE_ALL,
    ("GET", "/api/cameras/<key>/stills/film"): SEE,
    ("POST", "/api/cameras/<key>/stills/film"): SEE,
    ("DELETE", "/api/cameras/<key>/stills/film"): SEE,
    ("GET", "/api/cameras/<key>/stills/film.mp4"): SEE,
    ("POST", "/cameras/<key>/stills/film"): SEE,
    ("GET", "/api/cameras/<key>/stills/interval"): SEE,
    ("PUT", "/api/cameras/<key>/stills/interval"): EDIT,
    ("POST", "/cameras/<key>/stills/interval"): EDIT,
    ("GET", "/api/picture-health"): SEE_ALL,
    ("GET", "/api/cameras/<key>/picture-health"): SEE,
    ("PATCH", "/api/cameras/<key>/picture-health"): POLL,
    ("POST", "/api/cameras/<key>/picture-health/check"): POLL,
    ("POST", "/api/cameras/<key>/picture-health/references"): POLL,
    ("POST", "/api/cameras/<key>/picture-health/expected"): POLL,
    ("GET", "/api/cameras/<key>/picture-health/pictures/newest"): SEE,
    ("GET", "/api/cameras/<key>/picture-health/pictures/<int:id>"): SEE,
    ("DELETE", "/api/cameras/<key>/picture-health/pictures/<int:id>"): POLL,
    ("GET", "/cameras/<key>/picture-health"): SEE,
    ("POST", "/cameras/<key>/picture-health"): POLL,
    ("GET", "/recordings"): SEE_ALL,
    ("GET", "/recordings/<key>"): SEE,
    ("POST", "/recordings/<int:id>/protect"): KEEP,
    ("POST", "/recordings/<int:id>/delete"): KEEP,
    ("POST", "/recordings/<int:id>/restore"): KEEP,
    ("GET", "/recordings/<int:id>/link"): SEE_ALL,
    ("POST", "/recordings/<int:id>/link"): SHARE,
    ("GET", "/api/recordings/<int:id>"): SEE_ALL,
    ("PATCH", "/api/recordings/<int:id>"): KEEP,
    ("DELETE", "/api/recordings/<int:id>"): KEEP,
    ("POST", "/api/recordings/<int:id>/restore"): KEEP,
    ("GET", "/api/recordings/<int:id>/download"): SEE_ALL,
    ("GET", "/api/recordings/<int:id>/thumbnail.jpg"): SEE_ALL,
    ("POST", "/api/recordings/<int:id>/link"): SHARE,
    ("GET", "/api/recordings/<int:id>/shared.mp4"): OPEN,
    ("GET", "/api/cameras/<key>/days/<date>"): SEE,
    ("GET", "/api/cameras/<key>/playback"): SEE,
    ("GET", "/api/cameras/<key>/playback.mp4"): SEE,
    ("GET", "/api/cameras/<key>/thumbnail.jpg"): SEE,
    ("GET", "/api/recordings/coverage"): SEE_ALL,
    ("GET", "/api/recordings/storage"): SEE_ALL,
    ("GET", "/api/cameras/<key>/link"): SEE,
    ("GET", "/recordings/coverage"): SEE_ALL,
    ("GET", "/api/audit"): READ_LOG,
    ("GET", "/api/audit.csv"): READ_LOG,
    ("GET", "/settings/audit"): READ_LOG,
}

ENDLESS = (
    "/api/live",
    "/api/cameras/<key>/live.mp4",
    "/v0/api/cctv/cameras/<key>/stream",
    "/wall/shared/<token>/live",
)
"""Routes of live video. Their responses do not end while a camera sends, and wait a while for one
that does not, so a test of all routes sends HEAD to these (`reading_of`)."""

LOGIN = {"username": "Vera", "password": PASSWORD}
# Bodies that get an allowed request past authorization, and not much further.
BODIES: dict[str, dict[str, Any]] = {
    "/login": LOGIN,
    "/api/auth/login": LOGIN,
    "/account/password": {"password": "one", "again": "another"},
    "/api/camera/<key>/merge": {"with": OWN},
    "/api/camera/<key>/split": {"identities": ["mac:nonsense"]},
    **dict.fromkeys(
        ("/api/cameras/<key>", "/api/devices/<key>", "/v0/api/cctv/cameras/<key>"),
        {"confirm": "not its name"},
    ),
}


# What is read in search of traces.
NEEDLES = ("Zebrawood", "a8:13:74:ab:cd:ef", "A81374ABCDEF", "127.20.7.77", "QQ5577QQ", "Oubliette")
QUERIES = (
    *(f"status={status}" for status in ("all", "active", "offline", "missing", "unreachable")),
    *(f"sort={key}" for key in ("id", "-id", "status", "-name", "address", "-mac")),
    *("findings=true", "retired=true", "kind=camera", "page=1&per_page=50", "page=2&per_page=50"),
)
PATHS = (
    *(path_of(rule) for method, rule in TABLE if method == "GET"),
    *(f"{path}?{query}" for path in ("/", "/api/cameras", "/parts/top") for query in QUERIES),
    *(f"/parts/rows?{query}" for query in (*QUERIES, "ids=1,7002,7003", "offset=0&limit=200")),
    *(f"/filters?{query}" for query in ("network=127.20.0.0/16", "source=panasonic", "find=127")),
    *(f"/api/export?format={format}&columns=name,parent" for format in ("csv", "xlsx", "json")),
    *(f"/api/cameras?{query}" for query in ("network=127.20.0.0/16", "source=panasonic")),
    *(f"/parts/choices?{query}" for query in ("sites&q=", "sites&q=basement", "q=zebra", "q=s")),
    *(f"/parts/suggestions?of={of}&q=" for of in ("site", "tag")),
    *(f"/api/events?{query}" for query in ("limit=1000", "after=0", "device=7002", "limit=1")),
    *("/api/events?kind=device.edited", "/api/events?kind=device."),
)


def edits(home: Home, ask: Ask) -> tuple[int, int]:
    """The numbers of an edit of OWN and of one of OTHER."""
    text = f"Edit {home.monitor.tracker.fleet().sequence}"
    first, second = (
        body_of(ask["Ada"].ask("PATCH", f"/api/camera/{key}", json={"notes": text}))["undo"]
        for key in (OWN, OTHER)
    )
    return first, second


def call(visitor: Visitor, method: str, rule: str, key: int, event: int) -> TestResponse:
    body = {"event": event} if rule == "/api/undo" else BODIES.get(rule, {})
    form = "json" if rule.startswith(("/api", "/v0")) else "data"
    more = {form: body} if method != "GET" else {}
    return visitor.ask(method, path_of(rule, key, event), **more)


def reading_of(path: str) -> str:
    """The method that reads a path to its end: HEAD for what has none."""
    asked = path.partition("?")[0].rstrip("/")
    patterns = (re.sub("<[^>]+>", "[^/]+", rule) for rule in ENDLESS)
    return "HEAD" if any(re.fullmatch(pattern, asked) for pattern in patterns) else "GET"


def outcome(answer: TestResponse) -> str:
    """The letter of the table for this answer."""
    assert answer.status_code < 500, answer.text
    if answer.status_code == 404 and answer.text.startswith(
        ('{"error":"Camera ', '{"error":"Event ')
    ):
        return "0"
    return {401: "L", 403: "-"}.get(answer.status_code, "+")
