"""Pages and lists while devices come and go at the same moment."""

import sys
from collections.abc import Callable
from threading import Event, Thread

from fleet.edit import editing
from fleet.model import Edit
from simulators.panasonic import crowd
from tests.home import Home

ROUNDS = 100
PATHS = ("/", "/cameras/2", "/cameras/1", "/api/cameras", "/api/stats", "/sites", "/metrics")


def test_no_answer_mixes_the_fleet_before_and_after_a_change(
    make_home: Callable[..., Home],
) -> None:
    home = make_home(*crowd(6))
    home.scan()
    tracker, over = home.monitor.tracker, Event()

    def change_always() -> None:
        """Two records become one and two again: the second one comes and goes."""
        while not over.is_set():
            merge = Edit("merge", "id:1", {"with": 2}, "test", home.clock())
            (merged, *_rest) = tracker.apply([merge], home.clock())
            tracker.apply([editing.inverse(merged, "test", home.clock())], home.clock())

    changing, pause = Thread(target=change_always), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # Threads take turns in the middle of every request.
    changing.start()
    try:
        for _ in range(ROUNDS):
            replies = {path: home.client.get(path) for path in PATHS}
            second = replies.pop("/cameras/2")
            # Camera 2 leads to camera 1 while it is a part of it.
            leads_to = {200: None, 302: "/cameras/1"}
            assert second.headers.get("Location") == leads_to[second.status_code]
            assert {path: reply.status_code for path, reply in replies.items()} == dict.fromkeys(
                replies, 200
            )
    finally:
        over.set()
        sys.setswitchinterval(pause)
        changing.join()
