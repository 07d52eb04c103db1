"""The sources: one file for each vendor or protocol, its raw bytes in a `_wire` twin."""

SOURCES = ("panasonic", "easy4ip", "rtsp", "onvif", "local_cameras")
"""The files that are a source. Each has `Options`, a dataclass of the options it needs by their
names in `settings.py`, and `build(options, clock)`, which returns its `Source`."""
