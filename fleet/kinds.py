"""The kinds of device that lists tell apart, and as which each device is shown."""

CAMERA, RECORDER = "camera", "recorder"
KINDS = (CAMERA, RECORDER)
"""Every kind that a list, the counts and `?kind=` know. A source may say another one: the record
keeps it, and the device is shown, found and counted as a camera until the kind is named here."""
CAMERAS = frozenset(KINDS)
"""The kinds that lists of cameras show."""


def shown_as(kind: str) -> str:
    """The kind as which lists, filters and counts take a device of this kind."""
    return kind if kind in KINDS else CAMERA
