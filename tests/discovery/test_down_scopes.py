"""A scope that cannot be asked: told once, and once when it is back."""

from datetime import UTC, datetime

from discovery.down_scopes import DownScopes
from fleet.model import DEFAULT_SITE, Sighting, SourceDown

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE, TWO, OTHER = (1, "tcp"), (2, "tcp"), (3, "udp")


def up(*scopes: str) -> list[SourceDown]:
    return [SourceDown(scope, AT, "", up=True) for scope in scopes]


def test_a_scope_is_told_once_however_many_devices_it_keeps_from_being_asked() -> None:
    scopes = DownScopes()
    assert scopes.down("tcp:eth0", "cut", ONE, AT) == [SourceDown("tcp:eth0", AT, "cut")]
    assert scopes.down("tcp:eth0", "cut", TWO, AT) == []
    assert scopes.down("tcp:eth0", "gone", TWO, AT) == [SourceDown("tcp:eth0", AT, "gone")]
    assert scopes.answered(OTHER, (), AT) == []
    assert scopes.answered(ONE, (), AT) == up("tcp:eth0")
    assert scopes.answered(TWO, (), AT) == []


def test_any_answer_of_a_source_brings_the_whole_source_back() -> None:
    scopes = DownScopes()
    scopes.down("tcp", "cut", ONE, AT)
    scopes.down("tcp:eth1", "cut", ONE, AT)
    assert scopes.answered(TWO, (), AT) == up("tcp")


def test_an_answer_that_names_its_scope_brings_it_back() -> None:
    scopes = DownScopes()
    scopes.down("tcp:eth0", "cut", ONE, AT)
    heard = Sighting(DEFAULT_SITE, ("row:2",), "tcp", AT, scope="tcp:eth0")
    assert scopes.answered(TWO, (heard,), AT) == up("tcp:eth0")


def test_what_was_down_before_a_restart_is_back_with_the_first_answer() -> None:
    scopes = DownScopes()
    scopes.remember(["tcp:eth0", "udp", "tcpx"], "tcp")
    assert scopes.answered(OTHER, (), AT) == []
    assert scopes.answered(ONE, (), AT) == up("tcp:eth0")


def test_a_scope_whose_last_device_is_gone_is_not_down() -> None:
    scopes = DownScopes()
    scopes.down("tcp:eth0", "cut", ONE, AT)
    scopes.down("tcp:eth0", "cut", TWO, AT)
    assert scopes.forget(ONE, AT) == []
    assert scopes.forget(TWO, AT) == up("tcp:eth0")
