"""Who shares with whom, and who runs next."""

import ipaddress

import pytest

from server.shares import Turns, who_shares

PROXIES = (ipaddress.ip_network("127.0.0.7/32"), ipaddress.ip_network("fd00::/64"))


@pytest.mark.parametrize(
    ("client", "who"),
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
def test_an_address_shares_with_its_own_line_only(client: object, who: str | None) -> None:
    assert who_shares(client, PROXIES) == who


def running(turns: Turns[str]) -> list[str]:
    found = []
    while (one := turns.next()) is not None:
        found.append(one)
    return found


def test_addresses_take_turns_and_none_has_more_than_its_share() -> None:
    turns: Turns[str] = Turns(5, 3)
    for number in range(10):
        turns.add("a", f"a{number}")
    turns.add("b", "b0")
    assert running(turns) == ["a0", "b0", "a1", "a2"]
    turns.done("a")
    assert running(turns) == ["a3"]


def test_no_more_than_most_run_at_a_time() -> None:
    turns: Turns[str] = Turns(2, 2)
    for who in "abc":
        turns.add(who, who)
    assert running(turns) == ["a", "b"]
    turns.done("b")
    assert running(turns) == ["c"]


def test_a_proxy_that_speaks_for_many_has_no_share_of_its_own() -> None:
    turns: Turns[str] = Turns(8, 2)
    for number in range(9):
        turns.add(None, str(number))
    assert len(running(turns)) == 8


def test_one_that_waits_no_more_is_not_called() -> None:
    turns: Turns[str] = Turns(1, 1)
    for one in ("first", "second", "third"):
        turns.add("a", one)
    assert running(turns) == ["first"]
    turns.drop("a", "second")
    turns.done("a")
    assert running(turns) == ["third"]
    turns.done("a")
    turns.add("a", "fourth")
    turns.drop("a", "fourth")
    assert running(turns) == []
