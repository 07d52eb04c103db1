"""What scans of ranges found and nobody has decided about yet. It survives a restart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fleet import access_fields, identity
from fleet.channels import is_channel
from fleet.edit.importing import ListedRow, known_device
from fleet.model import DEFAULT_SITE, Device, Fleet, Invalid
from fleet.networks import address_number
from inventory import inbox_rows as rows
from inventory.import_rows import ONVIF, RTSP

if TYPE_CHECKING:
    from sqlalchemy import Engine


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
    ) -> ListedRow:
        """The row that adds it to the fleet, at another `site` than it was scanned for where one is
        given. Raises Invalid for a login that does not fit."""
        if credentials and (username or password):
            raise Invalid(
                "A credential set and a user name or password are given", "Send one of the two."
            )
        if password and not username:
            raise Invalid("The user name is missing", "Enter the user name of the password.")
        given: dict[str, Any] = {"host": self.address, **self._place()}
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
        )

    def _place(self) -> dict[str, Any]:
        if self.source == RTSP:
            return {"port": self.answer["rtsp_port"]}
        port = self.answer.get("onvif_port") or self.answer.get("http_port")
        tls = {"options": {"tls": True}} if self.answer.get("is_tls") else {}
        return {"port": port, "path": self.answer.get("onvif_path") or "", **tls}

    def is_ignored(self, fleet: Fleet) -> bool:
        keys = {self.ignore_key, f"{identity.ADDRESS}{self.address}"}
        return any(identity.index_key(key, self.site) in fleet.ignored for key in keys)


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
    for device in fleet.devices.values():
        if device.retired_at is None and not is_channel(device):
            for host in {access.host for access in device.access.values() if access.host}:
                by_host[device.site, host].append(device)
    return {place: devices[0] for place, devices in by_host.items() if len(devices) == 1}


class RangeInbox:
    """The entries in SQL."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def keep(self, site: str, answers: Mapping[str, Mapping[str, Any]], at: datetime) -> None:
        """Store answers by their addresses. Raises Unreachable."""
        rows.save(self._engine, site or DEFAULT_SITE, answers, at)

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
