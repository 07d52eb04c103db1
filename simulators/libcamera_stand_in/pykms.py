"""Stand-in for pykms: picamera2 only reads its names of pixel formats at the import."""


class _Names(type):
    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_Names):
    """Every name is a format."""
