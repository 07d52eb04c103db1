"""What scans of ranges found and nobody has decided about yet. It survives a restart."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fleet import access_fields, identity, stream_url
from fleet.channels import is_channel
from fleet.edit.importing import ListedRow, known_device
from fleet.model import DEFAULT_SITE, Device, Fleet, Invalid
from fleet.networks import address_number
from fleet.typed_place import ONVIF, RTSP
from inventory import inbox_rows as rows

if TYPE_CHECKING:
    from sqlalchemy import Engine


RUNNING, INTERRUPTED = "running", "interrupted"


@dataclass(frozen=True, slots=True)
class RangeRecord:
    """The newest scan of a range: what was asked, how far it is, and how it ended. `error`: what
    this server could not ask."""

    ranges: str
    state: str
    asked: int
    total: int
    answered: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """An address that answered, as in `discovery.range_scan.RangeAnswer`."""

    id: int
    site: str
    address: str
    at: datetime
    answer: Mapping[str, Any]

    @property
    def endpoint_key(self) -> str:
        """The key of its endpoint reference; empty without one."""
        endpoint = str(self.answer.get("endpoint") or "")
        return f"{identity.ENDPOINT}{endpoint}" if endpoint else ""

    @property
    def ignore_key(self) -> str:
        """The key by which it is ignored: its identity, else its address."""
        return self.endpoint_key or f"{identity.ADDRESS}{self.address}"

    @property
    def source(self) -> str:
        return RTSP if self.answer.get("rtsp_port") and not self.answer.get("is_onvif") else ONVIF

    @property
    def title(self) -> str:
        """What the device calls itself."""
        return str(self.answer.get("name") or self.answer.get("model") or "")

    def row(
        self,
        username: str = "",
        password: str | None = None,
        credentials: str = "",
        site: str = "",
        values: Mapping[str, Any] | None = None,
        path: str = "",
    ) -> ListedRow:
        """The row that adds it to the fleet, at another `site` than it was scanned for where one is
        given. `path`: that of the stream, where only RTSP responded. Raises Invalid for a login or
        a path that does not fit."""
        if credentials and (username or password):
            raise Invalid(
                "A credential set and a user name or password are given", "Send one of the two."
            )
        if password and not username:
            raise Invalid("The user name is missing", "Enter the user name of the password.")
        given: dict[str, Any] = {"host": self.address, **self._place(path)}
        if username:
            given["username"] = username
        access = access_fields.values(given)
        if credentials:
            access["credentials"] = credentials
        return ListedRow(
            self.id,
            self.source,
            site or self.site,
            self.address,
            access,
            values or {},
            password=password or "",
            is_address=True,
            key=self.endpoint_key,
            facts=self._facts(),
        )

    def _facts(self) -> dict[str, str]:
        """What the device calls itself until a check says more."""
        named = {name: str(self.answer.get(name) or "") for name in ("name", "model")}
        return {name: text for name, text in named.items() if text}

    def _place(self, path: str) -> dict[str, Any]:
        if self.source == RTSP:
            return {"port": self.answer["rtsp_port"], "path": _without_login(path)}
        port = self.answer.get("onvif_port") or self.answer.get("http_port")
        tls = {"options": {"tls": True}} if self.answer.get("is_tls") else {}
        return {"port": port, "path": self.answer.get("onvif_path") or "", **tls}

    def is_ignored(self, fleet: Fleet) -> bool:
        keys = {self.ignore_key, f"{identity.ADDRESS}{self.address}"}
        return any(identity.index_key(key, self.site) in fleet.ignored for key in keys)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """An entry with the device that is known there, and one of another site that has the same
    address, as far as the person sees them."""

    entry: InboxEntry
    device: Device | None = None
    elsewhere: Device | None = None


def _without_login(path: str) -> str:
    """The path. Raises Invalid for one with a password, which has a field of its own."""
    inner = stream_url.parse_path(path)
    if inner.password:
        fault = Invalid(
            "The path contains a password",
            "Enter user name and password in their fields, and {username} and {password} here.",
        )
        fault.field = "path"
        raise fault
    return inner.path


def known_devices(entries: Iterable[InboxEntry], fleet: Fleet) -> dict[int, Device]:
    """The device that each entry is, by the number of the entry: it has this identity, is known at
    this place, or is the only one that is checked at this address."""
    checked = _devices_by_host(fleet)
    pairs = (
        (entry.id, known_device(fleet, entry.row()) or checked.get((entry.site, entry.address)))
        for entry in entries
    )
    return {id: device for id, device in pairs if device is not None}


def _devices_by_host(fleet: Fleet) -> dict[tuple[str, str], Device]:
    """The only device that is checked at each address of a site."""
    by_host: dict[tuple[str, str], list[Device]] = defaultdict(list)
    for device in _listed(fleet.devices.values()):
        for host in {access.host for access in device.access.values() if access.host}:
            by_host[device.site, host].append(device)
    return {place: devices[0] for place, devices in by_host.items() if len(devices) == 1}


def at_other_sites(entries: Iterable[InboxEntry], devices: Iterable[Device]) -> dict[int, Device]:
    """A device of another site that has the address of an entry, by the number of the entry: many
    sites have the same addresses, so it need not be the same device."""
    by_host: dict[str, dict[str, Device]] = defaultdict(dict)
    for device in _listed(devices):
        for host in {device.address, *(access.host for access in device.access.values())} - {None}:
            by_host[str(host)].setdefault(device.site, device)
    others_by_id = dict[int, Device]()
    for entry in entries:
        others = (d for site, d in by_host[entry.address].items() if site != entry.site)
        if (other := next(others, None)) is not None:
            others_by_id[entry.id] = other
    return others_by_id


def _listed(devices: Iterable[Device]) -> Iterator[Device]:
    return (d for d in devices if d.retired_at is None and not is_channel(d))


class RangeInbox:
    """The entries in SQL."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def keep(
        self,
        site: str,
        answers: Mapping[str, Mapping[str, Any]],
        at: datetime,
        scan: RangeRecord | None = None,
    ) -> None:
        """Store answers by their addresses, and how far the scan is. Raises Unreachable."""
        kept = asdict(scan) if scan else None
        rows.save(self._engine, site or DEFAULT_SITE, answers, at, kept)

    def last_scan(self) -> RangeRecord | None:
        """The newest scan of an earlier run of the monitor: one that had not ended was interrupted.
        Raises Unreachable."""
        kept = rows.load_scan(self._engine)
        scan = RangeRecord(**kept) if kept else None
        return replace(scan, state=INTERRUPTED) if scan and scan.state == RUNNING else scan

    def entries(self, fleet: Fleet) -> list[InboxEntry]:
        """The entries that are not ignored, by address. Raises Unreachable."""
        every = [
            InboxEntry(row.id, row.site, row.address, row.at, row.answer)
            for row in rows.load(self._engine)
        ]
        wanted = [entry for entry in every if not entry.is_ignored(fleet)]
        return sorted(wanted, key=lambda entry: (*address_number(entry.address), entry.site))

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these entries. Raises Unreachable."""
        rows.remove(self._engine, ids)
