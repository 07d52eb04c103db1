"""A database with a password in every field that can hold one, made before the monitor starts."""

import json
from pathlib import Path

from fleet.database import record
from fleet.model import Access, Device, Fleet, Secret
from store.vault import Vault

MACS = ("mac:d4:2d:c5:00:00:01", "mac:d4:2d:c5:00:00:02")
TEXTS = {
    "a1": "TukanrtspKolibri",
    "a2": "TukanonvifKolibri",
    "a3": "TukanprivacyKolibri",
    "a4": "TukanauthKolibri",
    "b1": "TukanotherKolibri",
    "b2": "TukanreplacedKolibri",
}
"""{id of the secret: password}. `b2` was replaced: no device uses it."""


def write_secrets(database: Path, data_dir: Path) -> None:
    """Two cameras: the first has passwords for three sources, the second one for RTSP."""
    vault = Vault(data_dir / "keys")
    options = {"privacy": "a3", "auth": "a4"}
    first = {
        "rtsp": Access(port=554, path="/live", username="root", secret="a1"),
        "onvif": Access(port=80, username="admin", secret="a2"),
        "snmp": Access(options={"version": 3}, secret_options=options),
    }
    second = {"rtsp": Access(secret="b1", interval=60)}
    devices = {
        number: Device(number, "camera", "here", (key,), access=access)
        for number, (key, access) in enumerate(zip(MACS, (first, second), strict=True), start=1)
    }
    secrets = {
        id: Secret(vault.seal(text, id), 1 if id.startswith("a") else 2)
        for id, text in TEXTS.items()
    }
    fleet = Fleet(devices, next_id=3, secrets=secrets)
    database.write_bytes(record.Encoder().encode(fleet))


def sealed_in(database: Path) -> dict[str, str]:
    """{id: sealed text} as the file has them."""
    secrets = json.loads(database.read_bytes())["secrets"]
    return {id: entry["sealed"] for id, entry in secrets.items()}


def opened_in(database: Path, data_dir: Path) -> dict[str, str]:
    """{id: password}: every secret of the file, opened."""
    vault = Vault(data_dir / "keys")
    return {id: vault.unseal(sealed, id) for id, sealed in sealed_in(database).items()}
