"""The path of the sub stream of a camera beside that of the main stream, by its maker. Pure."""

PAIRS = (
    *(("subtype=00", "subtype=1"), ("subtype=0", "subtype=1")),  # Dahua, Amcrest
    *(("/main/av_stream", "/sub/av_stream"), ("_main", "_sub")),  # Hikvision; Reolink
    *(("/videomain", "/videoSub"), ("/stream1", "/stream2")),  # Foscam; TP-Link
    *(("/s0/live", "/s1/live"), ("/media/video1", "/media/video2")),  # Uniview
    *(("stream=0.sdp", "stream=1.sdp"), ("/live1s1.sdp", "/live1s2.sdp")),  # XMeye; Vivotek
    *(("/live.sdp", "/live2.sdp"), ("/main", "/sub")),
)
"""What the path of the main stream has, in lower case, and what that of the sub stream has."""
HIKVISION = "/streaming/channels/"
"""Then the number of the channel, and 01 for its main stream or 02 for its sub stream."""
AXIS, AXIS_SIZE = "/axis-media/media.amp", "resolution=640x360"
"""It has one path, and sends each size that it is asked for."""
AXIS_SIZES = ("resolution=", "streamprofile=")


def sub_path(path: str) -> str | None:
    """The path of the sub stream; None for a path that tells nothing of it."""
    lower = path.lower()
    if HIKVISION in lower:
        return _of_hikvision(path, lower.index(HIKVISION) + len(HIKVISION))
    if lower.partition("?")[0] == AXIS:
        is_sized = any(name in lower for name in AXIS_SIZES)
        return None if is_sized else f"{path}{'&' if '?' in path else '?'}{AXIS_SIZE}"
    for main, replacement in PAIRS:
        at = lower.find(main)
        end = at + len(main)
        if at >= 0 and not lower[end : end + 1].isalnum():
            return f"{path[:at]}{replacement}{path[end:]}"
    return None


def _of_hikvision(path: str, start: int) -> str | None:
    end = start
    while end < len(path) and path[end] in "0123456789":
        end += 1
    is_main = end - start >= 3 and path[end - 2 : end] == "01"
    return f"{path[: end - 2]}02{path[end:]}" if is_main else None
