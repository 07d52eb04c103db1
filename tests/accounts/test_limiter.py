"""Limits of login attempts by account and by address, and the waiting time."""

from collections.abc import Iterator

import pytest

from accounts.limiter import MAX_KEYS, MAX_WAIT, Limiter

HOME = "192.0.2.7"
PER_ACCOUNT, PER_ADDRESS = 10, 60


@pytest.fixture
def limiter() -> Limiter:
    return Limiter()


def addresses() -> Iterator[str]:
    """So many that none is counted twice."""
    for number in range(2**24):
        yield f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def use_up(limiter: Limiter, name: str) -> None:
    """All tries of an account, each from another address."""
    for address, _ in zip(addresses(), range(PER_ACCOUNT), strict=False):
        assert limiter.wait(name, address) == 0


# -- by account ------------------------------------------------------------------------------


def test_the_eleventh_try_of_an_account_waits_wherever_it_comes_from(limiter: Limiter) -> None:
    use_up(limiter, "ada")
    for address in (HOME, "198.51.100.1", "2001:db8::1"):
        assert 1 <= limiter.wait("ada", address) <= MAX_WAIT


def test_another_account_goes_on_from_the_same_address(limiter: Limiter) -> None:
    for _ in range(PER_ACCOUNT):
        assert limiter.wait("ada", HOME) == 0
    assert limiter.wait("ada", HOME)
    assert limiter.wait("vera", HOME) == 0


def test_a_login_that_succeeds_clears_its_account(limiter: Limiter) -> None:
    use_up(limiter, "ada")
    assert limiter.wait("ada", HOME)
    limiter.succeeded("ada")
    use_up(limiter, "ada")
    assert limiter.wait("ada", HOME)


def test_it_clears_no_other_account(limiter: Limiter) -> None:
    use_up(limiter, "ada")
    limiter.succeeded("vera")
    limiter.succeeded("nobody ever tried")
    assert limiter.wait("ada", HOME)


SPELLINGS = ["ada", "ADA", " ada ", "ａｄａ", "Ada", "aDa\t", "ADA\u3000", "ａda", "adA", "AdA"]


def test_all_spellings_of_a_name_count_together(limiter: Limiter) -> None:
    for name in SPELLINGS:
        assert limiter.wait(name, HOME) == 0
    assert limiter.wait("ada", HOME)
    limiter.succeeded("ADA")
    assert limiter.wait("ada", HOME) == 0


def test_a_name_is_not_taken_for_an_address(limiter: Limiter) -> None:
    use_up(limiter, HOME)
    assert limiter.wait("ada", HOME) == 0


# -- by address ------------------------------------------------------------------------------


def test_an_address_that_tries_many_names_waits(limiter: Limiter) -> None:
    for number in range(PER_ADDRESS):
        assert limiter.wait(f"user {number}", HOME) == 0
    assert 1 <= limiter.wait("another", HOME) <= MAX_WAIT
    assert limiter.wait("another", "192.0.2.8") == 0


def test_it_waits_for_accounts_that_succeed_too(limiter: Limiter) -> None:
    """One account of one's own does not open the way to all others."""
    for number in range(PER_ADDRESS):
        limiter.wait(f"user {number}", HOME)
        limiter.succeeded(f"user {number}")
    assert limiter.wait("another", HOME)


def test_while_the_address_waits_the_account_is_not_counted(limiter: Limiter) -> None:
    """So that one address cannot shut an account for everybody once it waits itself."""
    for number in range(PER_ADDRESS):
        limiter.wait(f"user {number}", HOME)
    for _ in range(PER_ACCOUNT * 2):
        assert limiter.wait("ada", HOME)
    assert limiter.wait("ada", "192.0.2.8") == 0


def test_who_has_one_ipv6_address_has_its_neighbours_too(limiter: Limiter) -> None:
    for number in range(PER_ADDRESS):
        assert limiter.wait(f"user {number}", f"2001:db8:0:1:{number:x}::1") == 0
    assert limiter.wait("another", "2001:db8:0:1:ffff::2")
    assert limiter.wait("another", "2001:db8:0:2::1") == 0


def test_an_ipv4_address_is_the_same_in_the_clothes_of_ipv6(limiter: Limiter) -> None:
    for number in range(PER_ADDRESS):
        address = HOME if number % 2 else f"::ffff:{HOME}"
        assert limiter.wait(f"user {number}", address) == 0
    assert limiter.wait("another", HOME)
    assert limiter.wait("another", "::ffff:192.0.2.8") == 0


@pytest.mark.parametrize("address", ["", "nonsense", "fe80::1%eth0", "x" * 100_000, "\ud800\x00"])
def test_an_address_that_is_none_counts_as_one(limiter: Limiter, address: str) -> None:
    for number in range(PER_ADDRESS):
        assert limiter.wait(f"user {number}", address) == 0
    assert limiter.wait("another", address)


@pytest.mark.parametrize("name", ["", "\ud800", "\x00", "a/b", "x" * 1_000_000, "LIMITER/account"])
def test_a_name_that_is_none_is_counted_as_any(limiter: Limiter, name: str) -> None:
    use_up(limiter, name)
    assert limiter.wait(name, HOME)
    assert limiter.wait("ada", HOME) == 0


# -- memory ----------------------------------------------------------------------------------


def keys(limiter: Limiter) -> int:
    storage = limiter._storage
    return max(len(storage.events), len(storage.locks), len(storage.storage))


def test_ten_thousand_names_from_as_many_addresses_leave_a_bounded_memory(
    limiter: Limiter,
) -> None:
    """And who was guessed at before all of them still waits."""
    use_up(limiter, "ada")
    for address, number in zip(addresses(), range(10_000), strict=False):
        limiter.wait(f"user {number}", address)
        assert keys(limiter) <= MAX_KEYS + 2
    assert limiter.wait("ada", HOME)


def test_an_account_leaves_nothing_behind_once_it_succeeded(limiter: Limiter) -> None:
    for number in range(50):
        limiter.wait(f"user {number}", HOME)
        limiter.succeeded(f"user {number}")
    assert keys(limiter) == 1, "its address"
