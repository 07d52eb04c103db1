"""The path of the small stream of a camera beside that of the large one, by its maker. Pure."""

PAIRS = (
    *(("subtype=00", "subtype=1"), ("subtype=0", "subtype=1")),  # Dahua, Amcrest
    *(("/main/av_stream", "/sub/av_stream"), ("_main", "_sub")),  # Hikvision; Reolink
    *(("/videomain", "/videoSub"), ("/stream1", "/stream2")),  # Foscam; TP-Link
    *(("/s0/live", "/s1/live"), ("/media/video1", "/media/video2")),  # Uniview
    *(("stream=0.sdp", "stream=1.sdp"), ("/live1s1.sdp", "/live1s2.sdp")),  # XMeye; Vivotek
    *(("/live.sdp", "/live2.sdp"), ("/main", "/sub")),
)
"""What the path of the large stream has, in small letters, and what the small one has there."""
HIKVISION = "/streaming/channels/"
"""Then the number of the channel, and 01 for its large stream or 02 for the small one."""
AXIS, AXIS_SIZE = "/axis-media/media.amp", "resolution=640x360"
"""It has one path, and sends each size that it is asked for."""
AXIS_SIZES = ("resolution=", "streamprofile=")


def sub_path(path: str) -> str | None:
    """The path of the small stream; None for a path that tells nothing of it."""
    small = path.lower()
    if HIKVISION in small:
        return _of_hikvision(path, small.index(HIKVISION) + len(HIKVISION))
    if small.partition("?")[0] == AXIS:
        is_sized = any(name in small for name in AXIS_SIZES)
        return None if is_sized else f"{path}{'&' if '?' in path else '?'}{AXIS_SIZE}"
    for large, replacement in PAIRS:
        at = small.find(large)
        end = at + len(large)
        if at >= 0 and not small[end : end + 1].isalnum():
            return f"{path[:at]}{replacement}{path[end:]}"
    return None


def _of_hikvision(path: str, start: int) -> str | None:
    end = start
    while end < len(path) and path[end] in "0123456789":
        end += 1
    is_large = end - start >= 3 and path[end - 2 : end] == "01"
    return f"{path[: end - 2]}02{path[end:]}" if is_large else None
