"""Uploads side by side at a real process: one child in all, a short queue, a clear 503."""

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from inventory.uploads import MAX_WAITING, TooManyUploads, Uploads
from tests.home import Running
from tests.workbooks import WorkbookRig, book_of, row, sheet_of, with_sheet

MANY = 10
BORDER = "7d5c0f"


@pytest.fixture(scope="module")
def large() -> bytes:
    """Takes a child half a second."""
    return with_sheet(
        sheet_of("".join(row(n, f"SN{n:06}", f"S{n}", "x") for n in range(2, 15_000)))
    )


def upload(monitor: Running, data: bytes, accept: str) -> tuple[int, str, str | None]:
    """Status, text and Retry-After."""
    head = f'--{BORDER}\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{BORDER}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BORDER}", "Accept": accept}
    url = f"http://127.0.0.1:{monitor.port}/settings/workbook"
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode(), None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Retry-After"]


def children(session: int) -> set[int]:
    """The processes of a monitor that take workbooks apart."""
    pids = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_one = b"inventory.child" in (folder / "cmdline").read_bytes()
            if is_one and os.getsid(int(folder.name)) == session:
                pids.add(int(folder.name))
        except OSError:
            continue
    return pids


@contextmanager
def watched(session: int) -> Iterator[list[int]]:
    """How many such processes there were at each look."""
    counts: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            counts.append(len(children(session)))

    thread = threading.Thread(target=look)
    thread.start()
    yield counts
    ended.set()
    thread.join()


def test_ten_uploads_side_by_side_have_one_child_in_all(
    run_monitor: Callable[..., Running], large: bytes
) -> None:
    monitor = run_monitor()
    assert monitor.process is not None
    with watched(monitor.process.pid) as counts, ThreadPoolExecutor(MANY) as pool:
        kinds = ["text/html", "*/*"] * (MANY // 2)
        answers = list(pool.map(lambda kind: upload(monitor, large, kind), kinds))
    assert max(counts) == 1
    codes = [code for code, _text, _after in answers]
    assert set(codes) <= {200, 503}
    assert codes.count(200) >= 1 + MAX_WAITING
    assert codes.count(503) >= 1
    for kind, (code, text, after) in zip(kinds, answers, strict=True):
        if code != 503:
            continue
        assert after == "20"
        if kind == "*/*":
            assert json.loads(text) == {
                "error": "Other uploads are being processed",
                "hint": "Upload the file again in 20 s.",
            }
        else:
            assert "Other uploads are being processed. Upload the file again in 20 s." in text
    assert upload(monitor, large, "text/html")[0] == 200, "the queue is empty again"
    code, text, _after = upload(monitor, b"PK no workbook", "*/*")
    assert code == 422
    assert set(json.loads(text)) == {"error", "hint"}


class Slow:
    """An upload that is read when the test says so."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def read(self, _most: int) -> bytes:
        self.begun.set()
        assert self.goes_on.wait(20)
        return self.data


def test_nobody_waits_longer_than_a_limit_and_nobody_joins_a_full_queue(
    make_home, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads: Uploads = WorkbookRig(make_home()).home.monitor.uploads
    monkeypatch.setattr("inventory.uploads.MAX_LOCK_WAIT", 0.2)
    first = Slow(book_of([("AB12345", "SITE-001", "Mall")]))
    with ThreadPoolExecutor(9) as pool:
        reading = pool.submit(uploads.preview, first)
        assert first.begun.wait(20)
        others = [pool.submit(uploads.preview, b"") for _ in range(8)]
        assert all(isinstance(future.exception(20), TooManyUploads) for future in others)
        for act in (uploads.undo, lambda: uploads.commit("0" * 64)):
            with pytest.raises(TooManyUploads):
                act()
        first.goes_on.set()
        assert len(reading.result(20).added) == 1
    assert len(uploads.preview(first).added) == 1
