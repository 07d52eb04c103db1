"""The fair queue: which requests share a turn, and which runs next."""

import ipaddress

import pytest

from server.fair_queue import FairQueue, client_key

PROXIES = (ipaddress.ip_network("127.0.0.7/32"), ipaddress.ip_network("fd00::/64"))


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (("192.168.1.5", 4000), "192.168.1.5"),
        (("127.0.0.2", 4000), "127.0.0.2"),
        (("::ffff:192.168.1.5", 4000, 0, 0), "192.168.1.5"),
        (("2001:db8::1", 4000, 0, 0), "2001:db8::/64"),
        (("2001:db8::ffff:1", 4000, 0, 0), "2001:db8::/64"),
        (("fe80::1%eth0", 4000, 0, 2), "fe80::/64"),
        (("::1", 4000, 0, 0), "::1"),
        (("127.0.0.7", 4000), None),
        (("fd00::5", 4000, 0, 0), None),
        ("", None),
    ],
)
def test_an_address_shares_with_its_own_line_only(client: object, key: str | None) -> None:
    assert client_key(client, PROXIES) == key


def running(queue: FairQueue[str]) -> list[str]:
    names = []
    while (name := queue.next()) is not None:
        names.append(name)
    return names


def test_addresses_take_turns_and_none_has_more_than_its_share() -> None:
    queue: FairQueue[str] = FairQueue(5, 3)
    for number in range(10):
        queue.add("a", f"a{number}")
    queue.add("b", "b0")
    assert running(queue) == ["a0", "b0", "a1", "a2"]
    queue.release("a")
    assert running(queue) == ["a3"]


def test_no_more_than_most_run_at_a_time() -> None:
    queue: FairQueue[str] = FairQueue(2, 2)
    for key in "abc":
        queue.add(key, key)
    assert running(queue) == ["a", "b"]
    queue.release("b")
    assert running(queue) == ["c"]


def test_a_proxy_that_speaks_for_many_has_no_share_of_its_own() -> None:
    queue: FairQueue[str] = FairQueue(8, 2)
    for number in range(9):
        queue.add(None, str(number))
    assert len(running(queue)) == 8


def test_one_that_waits_no_more_is_not_called() -> None:
    queue: FairQueue[str] = FairQueue(1, 1)
    for name in ("first", "second", "third"):
        queue.add("a", name)
    assert running(queue) == ["first"]
    queue.remove("a", "second")
    queue.release("a")
    assert running(queue) == ["third"]
    queue.release("a")
    queue.add("a", "fourth")
    queue.remove("a", "fourth")
    assert running(queue) == []
