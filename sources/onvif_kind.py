"""Whether an ONVIF device is a camera or a recorder, by what it says of itself. Pure.

it says that it stores video, or its model is named so    a recorder
it says that it is a camera, with up to MAX_SENSORS       a camera with several sensors
otherwise, with several video sources                     a recorder
"""

from collections.abc import Iterable

from fleet.kinds import CAMERA, RECORDER
from sources.ws_discovery_wire import names

MAX_SENSORS = 8
"""Video sources of one camera. Recorders call themselves transmitters, too, but with more."""
STORAGE = frozenset(
    ("networkvideostorage", "networkvideorecorder", "videorecorder", "nvs", "nvr", "dvr")
)
TRANSMITTER = frozenset(("networkvideotransmitter", "nvt"))
RECORDER_MODELS = ("nvr", "dvr", "xvr", "hcvr")
"""Parts of the model names of recorders, from several makers."""


def kind_of(
    scopes: Iterable[str], model: str | None, sources: int, types: Iterable[str] = ()
) -> str:
    """The kind. `types` are those of a WS-Discovery response, of which `NetworkVideoTransmitter`
    is no evidence: recorders send it so that cameras' clients find them."""
    scopes = tuple(scopes)
    type_names = {_plain(name) for name in _type_scopes(scopes)}
    models = f"{model or ''} {names(scopes).get('hardware', '')}".lower()
    stores = STORAGE & (type_names | {_plain(name) for name in types})
    if stores or any(part in models for part in RECORDER_MODELS):
        return RECORDER
    if sources < 2 or (type_names & TRANSMITTER and sources <= MAX_SENSORS):
        return CAMERA
    return RECORDER


def _type_scopes(scopes: Iterable[str]) -> Iterable[str]:
    return (scope.rpartition("/")[2] for scope in scopes if "/type/" in scope.lower())


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace("%20", "")
