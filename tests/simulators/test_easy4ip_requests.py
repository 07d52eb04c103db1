"""Which requests the pretend Easy4IP cloud accepts, and what it counts of them."""

import pytest

from simulators import easy4ip_wire as wire
from simulators.easy4ip import Recorder, fleet
from tests.simulators.easy4ip_client import (
    HELLO,
    NOON,
    SERIAL,
    SERIALS,
    answered,
    cloud_of,
    created,
    request_bytes,
)

# --- what the cloud listens to ----------------------------------------------------------------

SOUND = request_bytes(f"/online/p2psrv/{SERIAL}")


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        (b"DHGET", b"GET", "verb 'GET', not DHGET"),
        (b"DHGET", b"NFGET", "verb 'NFGET'"),
        (b"HTTP/1.1", b"HTTP/1.0", "protocol 'HTTP/1.0'"),
        (b"/online/p2psrv/", b"/online/relay/", "unknown path '/online/relay/SIM"),
        (b"/online", b"online", "unknown path 'online/"),
        (b"/online/p2psrv", b"/probe/p2psrv", "serial '/SIM"),
        (SERIAL.encode(), b"", "serial ''"),
        (SERIAL.encode(), SERIAL.lower().encode(), "serial 'sim00000paz0000'"),
        (SERIAL.encode(), b"SIM0 ", "serial 'SIM0 '"),
        (SERIAL.encode(), b"1234.0", "serial '1234.0'"),
        (SERIAL.encode(), "SIM\u00c4".encode(), "bytes that are not ASCII"),
        (b"\r\n", b"\n", "a line end that is not CRLF"),
        (b"\r\n\r\n", b"\r\n", "no blank line at the end"),
        (b"\r\n\r\n", b"\r\n\r\n<body/>", "a body after DHGET"),
        (b"CSeq: 2", b"CSeq: 2\r\nHost: cloud", "headers ['CSeq', 'Host'"),
        (b"CSeq: 2\r\n", b"", "headers ['Authorization', 'X-WSSE']"),
        (b"CSeq:", b"Cseq:", "headers ['Cseq'"),
        (b"CSeq: ", b"CSeq:", "headers ['CSeq:2'"),
        (b"X-WSSE", b"X-Wsse", "headers ['CSeq', 'Authorization', 'X-Wsse']"),
        (b"CSeq: 2", b"CSeq: -2", "CSeq '-2'"),
        (b"CSeq: 2", b"CSeq: 02", "CSeq '02'"),
        (b"CSeq: 2", b"CSeq: 2147483648", "CSeq '2147483648'"),
        (b"CSeq: 2", b"CSeq:  2", "CSeq ' 2'"),
        (b'"UsernameToken"', b"UsernameToken", "Authorization 'WSSE profile=UsernameToken'"),
        (b'", Nonce', b'",Nonce', "X-WSSE"),
        (b"1234567890", b"0x1234", "X-WSSE"),
        (b"1234567890", b"01", "X-WSSE"),
        (b"1234567890", b"4294967296", "nonce 4294967296: more than 32 bits"),
        (b"12:00:00Z", b"12:00:00+00:00", "X-WSSE"),
        (b"12:00:00Z", b"25:00:00Z", "Created '2026-03-01T25:00:00Z': no such time"),
        (b'="cba1', b'="', None),
    ],
)
def test_a_request_with_one_fault_is_told_and_not_served(client, cloud, right, wrong, reason):
    assert right in SOUND
    client.socket.sendto(SOUND.replace(right, wrong), cloud.main.address)
    if reason is None:  # sound, but nobody's key
        assert (client.hear().code, cloud.faults, cloud.refused) == (403, [], 1)
        return
    assert client.hear().raw.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert len(cloud.faults) == 1
    assert cloud.faults[0].startswith(f"main: {reason}")
    assert (cloud.asked.total(), cloud.main.tally.new) == (0, 0)


def test_headers_in_another_order_are_a_fault(client, cloud):
    first, cseq, *auth = SOUND.split(b"\r\n")
    swapped = b"\r\n".join([first, *auth[:2], cseq, b"", b""])
    client.socket.sendto(swapped, cloud.main.address)
    assert client.hear().cseq == 2
    assert cloud.faults[0].startswith("main: headers ['Authorization', 'X-WSSE', 'CSeq']")


def test_an_empty_datagram_is_a_fault_too(client, cloud):
    client.socket.sendto(b"", cloud.main.address)
    assert client.hear().header("CSeq") is None
    assert cloud.faults == ["main: no blank line at the end"]


def test_a_question_put_to_the_wrong_server_is_a_fault(client, cloud):
    codes = [
        client.ask(cloud.main, f"/probe/device/{SERIAL}").code,
        client.ask(cloud.main, f"/info/device/{SERIAL}").code,
        client.ask(cloud.regions[1], f"/online/p2psrv/{SERIAL}").code,
        client.ask(cloud.regions[1], HELLO).code,
    ]
    assert codes == [400] * 4
    assert cloud.faults[2] == "US1: lookup asked of the wrong server"


def test_only_the_hello_may_go_without_auth(client, cloud):
    assert client.ask(cloud.main, HELLO, auth=False).header("Date") == "2026-03-01T12:00:00Z"
    assert cloud.faults == []
    assert client.lookup(cloud, auth=False).code == 400
    assert client.info(cloud, auth=False).code == 400
    assert cloud.faults == ["main: lookup without auth headers", "US1: info without auth headers"]


def test_at_most_a_hundred_faults_are_kept(client, cloud):
    for _ in range(120):
        client.ask(cloud.main, "/nonsense")
    assert len(cloud.faults) == 100


def test_a_wrong_digest_is_forbidden_without_a_date(client, cloud):
    wrong = client.lookup(cloud, key="guessed")
    assert (wrong.code, wrong.header("Date"), cloud.refused) == (403, None, 1)
    assert client.info(cloud, user="nobody").code == 403
    assert (cloud.refused, cloud.faults) == (2, [])


def test_a_serial_that_the_cloud_was_never_told_of_is_counted_as_foreign(client, cloud):
    assert client.lookup(cloud).code == 200
    assert cloud.asked_foreign == {}
    assert client.lookup(cloud, "STRANGER1").code == 404
    assert client.ask(cloud.regions[0], "/info/device/STRANGER1").code == 404
    assert cloud.asked_foreign == {"STRANGER1": 2}


@pytest.mark.parametrize(("skew", "code"), [(600, 200), (-600, 200), (601, 401), (-601, 401)])
def test_a_clock_more_than_ten_minutes_off_is_refused_with_the_clouds_time(
    client, cloud, skew, code
):
    cloud.skew = skew
    for answer in (client.lookup(cloud), client.probe(cloud)):
        assert answer.code == code
        assert answer.header("Date") == created(NOON + skew)
        assert ("Error TimeOut" in answer.body) == (code == 401)
    assert client.lookup(cloud, at=NOON + skew).code == 200
    assert client.ask(cloud.main, HELLO, auth=False).code == 200


def test_main_may_refuse_the_keys_of_everybody_in_two_ways(client, cloud):
    cloud.refuses_keys = "403"
    assert (client.lookup(cloud).code, cloud.refused) == (403, 0)
    cloud.refuses_keys = "key_error"
    assert "KeyError" in client.lookup(cloud).body
    assert client.lookup(cloud, auth=False).code == 400  # nobody looks up without auth
    assert client.probe(cloud).code == 200
    cloud.refuses_keys = ""
    assert client.lookup(cloud).code == 200


def test_a_region_may_not_know_the_keys(client):
    with cloud_of(Recorder("A1", 0), Recorder("B1", 1)) as cloud:
        cloud.regions[0].knows_keys = False
        assert "KeyError" in client.ask(cloud.regions[0], "/info/device/A1").body
        assert client.ask(cloud.regions[0], "/info/device/A1", auth=False).code == 200
        assert client.ask(cloud.regions[1], "/info/device/B1").code == 200


# --- what the cloud notices -------------------------------------------------------------------


def test_requests_are_counted_by_server_and_step_and_by_serial(client, cloud):
    client.ask(cloud.main, HELLO)
    client.lookup(cloud)
    for _ in range(2):
        client.probe(cloud)
    assert cloud.main.tally.counts == {"hello": 1, "lookup": 1}
    assert cloud.regions[0].tally.counts == {}
    assert cloud.regions[1].tally.counts == {"probe": 2}
    assert cloud.asked["probe", SERIAL] == 2
    cloud.forget()
    assert (cloud.asked, cloud.main.tally.counts) == ({}, {})


def test_a_repeated_request_is_told_from_a_new_one_and_a_stale_nonce_from_a_fresh(client, cloud):
    client.lookup(cloud, cseq=7, nonce="1")
    client.lookup(cloud, cseq=7, nonce="2")
    client.lookup(cloud, cseq=7, nonce="2")
    client.lookup(cloud, cseq=8, nonce="2")
    client.ask(cloud.main, HELLO, cseq=8, auth=False)
    client.ask(cloud.main, HELLO, cseq=8, auth=False)
    tally = cloud.main.tally
    assert (tally.new, tally.repeats, tally.stale_repeats) == (3, 3, 1)


def test_the_peak_is_the_most_new_requests_within_any_second():
    tally = wire.RequestCounts()
    for cseq, at in enumerate([0.0, 0.5, 0.9, 1.0, 1.4, 1.45, 1.49, 5.0, 5.1], start=1):
        tally.add(wire.Request("hello", "", cseq, None), at)
    for _ in range(10):
        tally.add(wire.Request("hello", "", 9, None), 5.2)
    assert (tally.peak, tally.new, tally.repeats) == (6, 9, 10)


def test_a_cseq_of_long_ago_is_new_again():
    tally = wire.RequestCounts()
    for at in (0.0, 50.0, 109.0, 170.0):
        tally.add(wire.Request("lookup", SERIAL, 1, None), at)
    assert (tally.new, tally.repeats) == (2, 2)


def test_the_peak_is_seen_on_the_wire(client):
    with cloud_of(*fleet(40, 2)) as cloud:
        answered(client, cloud, SERIALS[:40])
        assert 2 <= cloud.main.tally.peak <= 40
        assert cloud.regions[0].tally.peak == 0
