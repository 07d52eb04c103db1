"""What the errors of camera libraries mean, and the messages of their process."""

import errno
import os

import pytest

from sources import camera_messages, camera_troubles
from sources.camera_troubles import Trouble, trouble_of


def wrapped(cause: Exception) -> Exception:
    """As picamera2 raises it: the cause behind a sentence of its own."""
    error = RuntimeError("Camera __init__ sequence did not complete.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (wrapped(RuntimeError("Failed to acquire camera: Device or resource busy")), "busy"),
        (wrapped(MemoryError()), "memory"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "memory"),
        (PermissionError(errno.EACCES, "Permission denied"), "forbidden"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "absent"),
        (RuntimeError("Failed to start camera: Input/output error"), "silent"),
        (Trouble("absent"), "absent"),
        (ValueError("something else"), "failed"),
    ],
)
def test_an_error_of_a_library_has_its_plain_meaning(error: Exception, code: str) -> None:
    assert trouble_of(error).code == code


@pytest.mark.parametrize("key", ["pi:/base/imx219@10", "usb:046d:0825@1-1.2"])
def test_each_trouble_has_a_reason_and_a_next_step(key: str) -> None:
    for code in camera_troubles.REASONS:
        assert camera_troubles.reason_of(Trouble(code))
        assert camera_troubles.hint_of(code, key).endswith((".", "*", "cameras"))


@pytest.mark.parametrize(
    "data", [b"\xff" * 8, camera_messages.HEADER.pack(2, 0) + b"{]", b"\0\0\0\2\0\0\0\0[]"]
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(camera_messages.Malformed):
        camera_messages.Decoder().feed(data)


def test_messages_come_whole_from_any_pieces() -> None:
    data = camera_messages.encode("picture", data=b"jpeg") * 2
    decoder = camera_messages.Decoder()
    messages = [message for byte in data for message in decoder.feed(bytes([byte]))]
    assert messages == [({"kind": "picture"}, b"jpeg")] * 2
