"""The kinds of device that lists distinguish."""

CAMERA, RECORDER = "camera", "recorder"
KINDS = (CAMERA, RECORDER)
"""Every kind that a list, the counts and `?kind=` know. A source may say another one: the record
keeps it, and the device is shown, found and counted as a camera until the kind is named here."""
CHOICES = (*KINDS, "switch", "other")
"""What a person chooses from."""
CAMERAS = frozenset(KINDS)
"""The kinds that lists of cameras show."""


def shown_as(kind: str) -> str:
    """The kind that lists, filters and counts use for a device of this kind."""
    return kind if kind in KINDS else CAMERA
