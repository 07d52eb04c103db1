"""The values of the fleet. All frozen, all times in UTC, no I/O.

Errors of sources:  NoAnswer (asked, silent or nonsense)  ·  CannotAsk (we could not ask at all)
Errors of edits:    Refused  <-  NotFound
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DEFAULT_SITE = "here"
"""The site of everything whose site nobody named."""

MAX_ADDRESSES = 1000
"""Address changes that one record keeps; the journal has the older ones."""

Facts = Mapping[str, Any]
NOTHING: Mapping[str, Any] = {}
"""The same empty value for all devices: there are many that hold nothing."""


def _nothing() -> Mapping[str, Any]:
    return NOTHING


async def send_freely() -> None:
    """The `before_login` of a target whose login is known to work, or is given by a person."""


def always(_refusals: int) -> bool:
    """The `after_refusal` of a target that nothing else asks meanwhile."""
    return True


class NoAnswer(Exception):
    """The device did not answer, or not in its protocol. The Scanner turns it into a Miss."""


class CannotAsk(Exception):
    """A source cannot ask now. It says nothing about any device in `scope`, which is the name of
    the source or `source:part` for one interface, region or site of it."""

    def __init__(self, scope: str, reason: str) -> None:
        super().__init__(reason)
        self.scope = scope
        self.reason = reason


class Refused(Exception):
    """An edit that cannot be done: what and why, and what to do next.

    `field` names the value that does not fit, where it is one.
    """

    field = ""

    def __init__(self, error: str, hint: str) -> None:
        super().__init__(error)
        self.error = error
        self.hint = hint


class Invalid(Refused):
    """A value of the edit does not fit."""


class NotFound(Refused):
    """The edit names a device or an event that does not exist."""


@dataclass(frozen=True, slots=True)
class Target:
    """Someone we can ask.

    `key` is the row of a list, or for a probe the key of the place that is asked. `secret` is the
    plain password, unsealed when the question begins; without it, where there is one, the device
    moved: the probe says what the device proves before it logs in. `options` are the source's own,
    with those that are secret. `tls_pin`, `method`, `attempts_left`, `worked_at`, `clock` and
    `transport` are as in Access. `refusals` are the refused logins that were spent of the budget
    which all that use this login at this device share. `digest_only`: the device did not prove who
    it is, or named this port itself, so no login that reveals the password is tried. Unless
    `may_login`, only what needs no login is asked.
    `channels`: those that it reported before. If there are any, a single one is a channel, too.
    `is_new`: the source got no answer since this device is in the list, so what it remembers of
    the place does not hold. `wants_all`: a person waits for the answer, so nothing that is
    remembered takes the place of a question. `is_trial`: nobody keeps the answer, so the source
    remembers nothing of it. `works_elsewhere`: the device refused no login; the one of `refusals`
    keeps an attempt for where the login works.
    `has_stream_path`: a person or the device gave the path of each of its streams.
    `before_login` is awaited before each login that was not accepted in this probe is sent; then
    that login is on disk as a refused one, until the answer tells. `after_refusal` is called at
    once with the refusals of this probe since the login was accepted last; if it returns False,
    others were refused meanwhile, and no login may be sent.
    """

    site: str
    key: str
    host: str
    port: int | None = None
    path: str = ""
    username: str | None = None
    secret: str | None = field(default=None, repr=False)
    tls_pin: str | None = None
    method: str = ""
    options: Facts = field(default_factory=dict, repr=False)
    refusals: int = 0
    attempts_left: int | None = None
    worked_at: datetime | None = None
    clock: float | None = None
    transport: str = ""
    digest_only: bool = False
    may_login: bool = True
    channels: int = 0
    is_new: bool = False
    wants_all: bool = False
    is_trial: bool = False
    works_elsewhere: bool = False
    has_stream_path: bool = False
    before_login: Callable[[], Awaitable[None]] = field(
        default=send_freely, repr=False, compare=False
    )
    after_refusal: Callable[[int], bool] = field(default=always, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How one source reaches a device.

    `host` is set only where a person gave one; without it the source asks at the device's address.
    `secret` is the id of the password in `Fleet.secrets`, never the password; so are the values of
    `secret_options` (SNMPv3's second password, for example). `secret_host` is the device's address
    for which they were saved, where no host was given: they are sent there without proof, and
    nowhere else before the device proved itself there without them. `tls_pin` is the fingerprint of
    the certificate that is accepted. `interval` is in seconds. `credentials` is the id of a set in
    `Fleet.credentials`, whose login is used where the access has none of its own. `digest_only`: no
    person entered a login for this port, so it is never sent there in a form that reveals it.

    Sources learn the rest. `method` is the login method that worked last. `refusals` are the logins
    that the device refused since the last success or change, `attempts_left` the number that it
    said it still takes. `worked_at` is when this path last gave a stream. `clock` is how many
    seconds the device's clock is ahead. `transport` is how its stream came last, `tcp` or `udp`.
    `extra` holds what a newer version wrote.
    """

    host: str | None = None
    port: int | None = None
    path: str = ""
    username: str | None = None
    secret: str | None = field(default=None, repr=False)
    tls_pin: str | None = None
    method: str = ""
    interval: int | None = None
    options: Facts = field(default_factory=dict)
    secret_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_host: str | None = None
    credentials: str = ""
    digest_only: bool = False
    refusals: int = 0
    attempts_left: int | None = None
    worked_at: datetime | None = None
    clock: float | None = None
    transport: str = ""
    extra: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a source learned about reaching a device: the login method that worked, the fingerprint
    of the certificate that it met first, and the other values as in Access; None and an empty text
    change nothing.

    `refusals` is the target's number and one more for each login that was refused, or 0 after one
    that was accepted, which also ends `attempts_left`. A refusal because of the clock or the method
    is not one of the login. `access` is the one that was asked with; the Prober fills it in, and
    nothing is kept for another one."""

    method: str = ""
    tls_pin: str | None = None
    access: Access | None = None
    refusals: int | None = None
    attempts_left: int | None = None
    worked_at: datetime | None = None
    clock: float | None = None
    transport: str | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Proof of life.

    `identities` are all the keys it can prove, strongest first (`mac:…`, `onvif:…`,
    `rtsp:host:port/path`). `asked` is when the scan that asked began; None when the
    device spoke unasked. `latency` is in seconds. `scope` is the part of the source
    through which it was heard, as in CannotAsk. `only_alive`: it was heard without a question
    of ours, or contradicted, so it renews a known device at its known address and does nothing
    else. `device` is the number of the one that was asked, which the Prober fills in: it is meant
    unless the keys prove another one. `learned` is what to keep for the next question. `is_brief`:
    the source says more about the device at other times, so facts and kind of a known one stay.
    """

    site: str
    identities: tuple[str, ...]
    source: str
    at: datetime
    kind: str = "camera"
    address: str | None = None
    port: int | None = None
    name: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    latency: float | None = None
    facts: Facts = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    scope: str | None = None
    asked: datetime | None = None
    only_alive: bool = False
    device: int | None = None
    learned: Learned | None = None
    is_brief: bool = False


@dataclass(frozen=True, slots=True)
class Miss:
    """Asked, no answer. `asked` is when the scan that asked began."""

    identity: str
    source: str
    at: datetime
    reason: str
    site: str = DEFAULT_SITE
    asked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong though it answers; with `cleared`, no longer."""

    identity: str
    kind: str
    at: datetime
    text: str
    source: str
    evidence: Facts = field(default_factory=dict)
    cleared: bool = False
    site: str = DEFAULT_SITE


@dataclass(frozen=True, slots=True)
class Edit:
    """A change by a person or a file.

    `kind` is one of add, change, retire, restore, delete, merge, split, unmerge, ignore, link,
    list, credentials. `identity` is `id:12` for a device by its number, or any key of it;
    of `credentials` it is the id of the set.
    """

    kind: str
    identity: str
    fields: Mapping[str, Any]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SourceDown:
    """A scope of a source cannot be asked (CannotAsk), or with `up` it can again."""

    scope: str
    at: datetime
    reason: str
    up: bool = False


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The clock of this server was set by so many seconds, ahead or back; now it says `at`."""

    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class AutoScan:
    """Automatic scanning was turned on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class LastScan:
    """The result of the newest scan, as the page shows it."""

    scan: Facts


@dataclass(frozen=True, slots=True)
class PendingSerials:
    """{site: serial}: all that the workbook does not have yet."""

    serials: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TakenWorkbook:
    """Another workbook is being taken: its digest, and the pending serials that are forgotten
    once it is there. An empty digest says that none is being taken any more."""

    digest: str = ""
    serials: Mapping[str, str] = field(default_factory=dict)


ServerFact = AutoScan | LastScan | PendingSerials | TakenWorkbook
"""A fact of this server itself."""


@dataclass(frozen=True, slots=True)
class ResealedSecrets:
    """{id: sealed text}: the same secrets under a newer key."""

    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpentLogins:
    """The `refusals` of an access: one more before a login is sent, and the right number after the
    answer. `access` is the one that is asked with; nothing changes in another one. On disk when it
    was applied."""

    device: int
    source: str
    access: Access
    refusals: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What this server did with a device, such as recording it: an event of this kind, and no fact.
    `text` follows the name of the device."""

    device: int
    kind: str
    text: str
    after: Facts = field(default_factory=_nothing)


Report = (
    ServerFact
    | Activity
    | ResealedSecrets
    | Sighting
    | Miss
    | Finding
    | Edit
    | SourceDown
    | ClockStep
    | SpentLogins
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one discovery did: the scopes that it really asked, how often, what came back.

    `by_scope` divides `requests`. `refused` counts datagrams that did not enter, by reason
    in words. `failed` names the scopes that could not be asked, with the reason. `notes` are
    sentences about the source itself.
    """

    source: str
    scopes: tuple[str, ...]
    requests: int
    answers: int
    refused: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    by_scope: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """A change worth telling. `sequence` rises by one and is never reused. `extra` holds what a
    newer version wrote."""

    sequence: int
    at: datetime
    kind: str
    device: int | None
    text: str
    before: Facts = field(default_factory=dict)
    after: Facts = field(default_factory=dict)
    extra: Facts = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class SourceState:
    """The newest result of one source about a device. `asked` is the start of the newest scan
    in which it was asked; `scope` is where the last sighting was heard. `extra` holds what a newer
    version wrote."""

    seen_at: datetime | None = None
    missed_at: datetime | None = None
    asked: datetime | None = None
    misses: int = 0
    reason: str = ""
    scope: str | None = None
    extra: Facts = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class AddressChange:
    """`ip` became the address at `at`; `previous` is None for the first one. `extra` holds what a
    newer version wrote."""

    ip: str
    at: datetime
    previous: str | None
    extra: Facts = field(default_factory=_nothing, hash=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """A finding as the device carries it. `extra` holds what a newer version wrote."""

    kind: str
    since: datetime
    text: str
    source: str
    evidence: Facts = field(default_factory=_nothing)
    extra: Facts = field(default_factory=_nothing)


OF_A_SET = 0
"""The device of a secret that belongs to a credential set."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A sealed text, and the device for which it was stored, or OF_A_SET.

    Sealed to its own id, so that it opens wherever a merge or split takes that id. `extra` holds
    what a newer version wrote.
    """

    sealed: str = field(repr=False)
    device: int
    extra: Facts = field(default_factory=_nothing, repr=False)


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A login with a name that many devices use. `secret` is the id of the password in
    `Fleet.secrets`; without it the password is empty. `extra` holds what a newer version wrote."""

    name: str
    username: str
    secret: str | None = field(default=None, repr=False)
    extra: Facts = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Device:
    """One record, whatever the kind.

    `name` is what a person gave; the device's own is in `facts`. `access`, `facts` and `states`
    are by source; so is `source_addresses`, with the time at which the source last proved each
    address. `address` is the one that is shown. `kind_source` is the source that said the kind.
    `claims` says when a key that means something only at a place was last proved; a key that is
    not in it was never timed. `interfaces` says, for a device that a person merged of several, at
    which addresses each of its MACs and endpoint references was last proved; every address is one
    interface. `sightings` counts the scans in which it answered. `moved_at` is
    set while the new address is not confirmed by a later scan. `parents` are the devices
    through which it is reached. `recent_misses` are the times of the last hour at which a source
    missed it, by source and reason. `status` and `since` are what was last told in an event;
    `statuses()` says what is true now. `never_merge` holds the devices that a person said are
    others, whatever the sources prove. `vendor` and `recording` (see `fleet.recording`) are what a
    person said. `extra` holds what a newer version wrote.
    """

    id: int
    kind: str
    site: str
    identities: tuple[str, ...]
    name: str | None = None
    notes: str = ""
    tags: tuple[str, ...] = ()
    address: str | None = None
    addresses: tuple[AddressChange, ...] = ()
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    sightings: int = 0
    moved_at: datetime | None = None
    states: Mapping[str, SourceState] = field(default_factory=_nothing)
    recent_misses: Mapping[str, Mapping[str, tuple[datetime, ...]]] = field(
        default_factory=_nothing
    )
    facts: Mapping[str, Facts] = field(default_factory=_nothing)
    links: Mapping[str, str] = field(default_factory=_nothing)
    findings: tuple[Fault, ...] = ()
    parents: tuple[int, ...] = ()
    never_merge: tuple[int, ...] = ()
    listed: bool = False
    retired_at: datetime | None = None
    status: str = "UNKNOWN"
    since: datetime | None = None
    kind_source: str = ""
    access: Mapping[str, Access] = field(default_factory=_nothing)
    source_addresses: Mapping[str, Mapping[str, datetime]] = field(default_factory=_nothing)
    claims: Mapping[str, datetime] = field(default_factory=_nothing)
    interfaces: Mapping[str, Mapping[str, datetime]] = field(default_factory=_nothing)
    vendor: str = ""
    recording: Facts = field(default_factory=_nothing)
    extra: Facts = field(default_factory=_nothing)

    @property
    def parent(self) -> int | None:
        """The first parent: the only one that most devices have."""
        return self.parents[0] if self.parents else None


@dataclass(frozen=True, slots=True)
class KeyWatch:
    """Where a key that is, or may be, shared was last proved: at `address` alone from `since`
    until `at`. `extra` holds what a newer version wrote."""

    address: str
    since: datetime
    at: datetime
    extra: Facts = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything in `camera_database.json`, as one immutable value.

    `index` leads from an identity to an id. `references` leads to the ids of all that have or
    lately had an address at a site, are asked at a place, or name another device as parent or
    exclusion. Both follow from the devices. `redirects` leads from an id
    that was merged away to the one that stays. `outbox` holds the events that the journal has
    not confirmed.
    `state` keeps the few facts of the monitor itself (auto-scan, last scan, sources down).
    `secrets` is by id; records and events have only the ids. `disputed` holds the index keys
    that two live devices proved at once, with the time: they prove nothing as long as they stand
    there. `watched` holds what is known meanwhile of these, and of those that may be shared.
    `ignored` holds the index keys that discovery never adds, with who said so (`at`, `by`).
    `credentials` holds the credential sets by id.
    `extra` holds what a newer version wrote.
    """

    devices: Mapping[int, Device] = field(default_factory=dict)
    index: Mapping[str, int] = field(default_factory=dict)
    references: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    redirects: Mapping[int, int] = field(default_factory=dict)
    next_id: int = 1
    sequence: int = 0
    outbox: tuple[Event, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    disputed: Mapping[str, datetime] = field(default_factory=dict)
    watched: Mapping[str, KeyWatch] = field(default_factory=dict)
    ignored: Mapping[str, Facts] = field(default_factory=dict)
    credentials: Mapping[str, CredentialSet] = field(default_factory=dict)
    extra: Facts = field(default_factory=dict)
