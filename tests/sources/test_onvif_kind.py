"""A recorder is told from a camera with several sensors by what the device says of itself."""

import pytest

from sources.onvif_kind import MAX_SENSORS, kind_of

TYPE, HARDWARE = "onvif://www.onvif.org/type/", "onvif://www.onvif.org/hardware/"
TRANSMITTER = (f"{TYPE}Network_Video_Transmitter", f"{TYPE}ptz")


@pytest.mark.parametrize(
    ("scopes", "model", "sources", "kind"),
    [
        ((), "IPC-100", 1, "camera"),
        ((), None, 2, "recorder"),
        ((f"{TYPE}video_encoder",), "ENC-4", 4, "recorder"),
        (TRANSMITTER, "PNM-9000", 4, "camera"),
        (TRANSMITTER, "PNM-9000", MAX_SENSORS, "camera"),
        (TRANSMITTER, "RLX-16", MAX_SENSORS + 1, "recorder"),
        (TRANSMITTER, "DHI-NVR2104", 4, "recorder"),
        ((*TRANSMITTER, f"{HARDWARE}XVR5104"), None, 4, "recorder"),
        ((*TRANSMITTER, f"{TYPE}NetworkVideoStorage"), "R-4", 4, "recorder"),
        ((f"{TYPE}network_video_recorder",), "R-1", 1, "recorder"),
        (("onvif://www.onvif.org/name/NVR%20room",), "IPC-100", 1, "camera"),
    ],
)
def test_the_kind_follows_what_the_device_says(
    scopes: tuple[str, ...], model: str | None, sources: int, kind: str
) -> None:
    assert kind_of(scopes, model, sources) == kind


def test_the_types_of_a_discovery_response_name_storage_only() -> None:
    assert kind_of((), None, 1, ("NetworkVideoStorage", "Device")) == "recorder"
    assert kind_of((), None, 4, ("NetworkVideoTransmitter",)) == "recorder"
