"""The pretend Easy4IP cloud: as its protocol is described, strict, and bad exactly as told."""

import hashlib
import math
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from simulators import easy4ip_wire as wire
from simulators.easy4ip import Cloud, Recorder, fleet

ROOT = Path(__file__).parents[2]
LIMIT = 20.0  # seconds: generous, only a broken cloud waits so long
SERIAL = "SIM00000PAZ0000"
OLD_USER, OLD_KEY = "P2PClient", "YXQ3Mahe-5H-R1Z_"
HELLO = "/probe/p2psrv"
PLAIN_INFO = (
    '{"httpport":80,"privport":37777,"randsalt":"5daf91fc5cfc1be8e081cfb08f792726",'
    '"rtspport":554,"tlsprivport":37778}'
)
SEALED_INFO = (
    "sLwAgMEOWisMO6lxixpYDeXWpVnxEMzxsPtceu7wdf9YvYtrdJYDcU6Dh6zbMPVBenmyMQUnzPZo2w8K1xldnpp/XFnQwoDN"
    "jFxS5UOJ5+U1b0xQ+ZJE977ehYvf8ZRULvxyhDjYUHBf4OUQ7Bv8Q68="
)


def moment(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def created(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


NOON = moment("2026-03-01T12:00:00Z")  # by every clock here, unless a test says otherwise


class Heard(NamedTuple):
    raw: bytes
    sender: tuple[str, int]

    @property
    def code(self) -> int:
        return int(self.raw.split()[1])

    @property
    def body(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[2].decode()

    def header(self, name: str) -> str | None:
        match = re.search(rf"(?m)^{name}: (.*)\r$", self.raw.decode())
        return match and match[1]

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq"))

    @property
    def us(self) -> str:
        return re.search("<US>(.*)</US>", self.body)[1]


def asking(path, cseq=2, nonce="1234567890", at=NOON, user=wire.USER, key=wire.KEY, auth=True):
    """A request as section 2 has it."""
    lines = [f"DHGET {path} HTTP/1.1", f"CSeq: {cseq}"]
    when = created(at)
    raw = hashlib.sha1(f"{nonce}{when}DHP2P:{user}:{key}".encode()).digest()
    if auth:
        lines.append('Authorization: WSSE profile="UsernameToken"')
        lines.append(
            f'X-WSSE: UsernameToken Username="{user}", PasswordDigest="{b64encode(raw).decode()}", '
            f'Nonce="{nonce}", Created="{when}"'
        )
    return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """Asks servers from one socket on 127.0.0.1 and hears what comes, from wherever."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.settimeout(LIMIT)
        self.cseq = 0

    def send(self, server, path, **changes) -> int:
        self.cseq += 1
        changes = {"cseq": self.cseq, "nonce": str(self.cseq), **changes}
        self.socket.sendto(asking(path, **changes), server.address)
        return changes["cseq"]

    def hear(self) -> Heard:
        return Heard(*self.socket.recvfrom(65535))

    def ask(self, server, path, **changes) -> Heard:
        self.send(server, path, **changes)
        return self.hear()

    def lookup(self, cloud, serial=SERIAL, **changes) -> Heard:
        return self.ask(cloud.main, f"/online/p2psrv/{serial}", **changes)

    def probe(self, cloud, serial=SERIAL, **changes) -> Heard:
        return self.ask(cloud.regions[1], f"/probe/device/{serial}", **changes)

    def info(self, cloud, serial=SERIAL, **changes) -> Heard:
        return self.ask(cloud.regions[1], f"/info/device/{serial}", **changes)

    def hear_waiting(self) -> list[Heard]:
        """All that has arrived by now."""
        heard = []
        while select.select([self.socket], [], [], 0)[0]:
            heard.append(self.hear())
        return heard

    def hear_all(self, cloud, requests: int) -> list[Heard]:
        """All that a cloud answers to so many sound requests since `forget()`."""
        wait_until(lambda: cloud.asked.total() == requests and cloud.is_quiet)
        return self.hear_waiting()


@pytest.fixture
def client():
    made = Client()
    yield made
    made.socket.close()


def wait_until(fact) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def cloud_of(*recorders, **options) -> Cloud:
    return Cloud(recorders, **{"clock": lambda: NOON, "servers": 2, **options})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SERIAL, 1)


@pytest.fixture
def cloud(recorder):
    """A running cloud of this one recorder, which is at the second of two P2P servers."""
    with cloud_of(recorder) as running:
        yield running


def opened(sealed: str) -> str:
    """The plain text of an Info. OFB opens as it seals: a stream is laid over the text twice."""
    zeros = b64decode(wire.sealed("\0" * len(b64decode(sealed))))
    return bytes(a ^ b for a, b in zip(zeros, b64decode(sealed), strict=True)).decode()


# --- the vectors of the description -----------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "key", "nonce", "when", "digest"),
    [
        (wire.USER, wire.KEY, "1234567890", "2024-01-02T03:04:05Z", "yo9hiYp9X22h33Z/fuzUmq7lzEM="),
        (wire.USER, wire.KEY, "42", "2026-09-06T12:00:00Z", "2+go9D1pKW5ykn3ePUMZkhMmITo="),
        (wire.USER, wire.KEY, "403748975", "2025-07-14T12:10:45Z", "CL16HGn7S4vceptOXNT+hZEmE1I="),
        (OLD_USER, OLD_KEY, "4256704150", "2023-12-18T19:19:43Z", "HvAqydeFx9pTgUKR4cSMJaoeCiQ="),
        (OLD_USER, OLD_KEY, "3957376089", "2023-12-18T19:19:43Z", "xkGJHLPPwJQCY+PhcrYIeeUvXuo="),
    ],
)
def test_the_described_digests_are_made_and_taken(client, user, key, nonce, when, digest):
    assert wire.digest(nonce, when, user, key) == digest
    with cloud_of(Recorder(SERIAL), clock=lambda: moment(when)) as cloud:
        cloud.keys[user] = key
        answer = client.lookup(cloud, user=user, key=key, nonce=nonce, at=moment(when))
        assert (answer.code, cloud.faults, cloud.refused) == (200, [], 0)


def test_the_whole_datagram_of_the_description_is_taken(client):
    at = moment("2024-01-02T03:04:05Z")
    datagram = asking(f"/online/p2psrv/{SERIAL}", at=at)
    assert len(datagram) == 269
    vector = "577c21af00ca7c53047d31670215c3949197261b596c7ac9d7af65745907e462"
    assert hashlib.sha256(datagram).hexdigest() == vector
    with cloud_of(Recorder(SERIAL), clock=lambda: at) as cloud:
        client.socket.sendto(datagram, cloud.main.address)
        assert client.hear().code == 200


def test_the_described_info_is_sealed_as_written():
    assert wire.sealed(PLAIN_INFO) == SEALED_INFO


# --- what a recorder's state looks like -------------------------------------------------------


def test_an_online_recorder_is_answered_byte_for_byte(client, cloud):
    us = cloud.regions[1]
    answers = [client.lookup(cloud), client.probe(cloud), client.info(cloud)]
    start = "HTTP/1.1 200 OK\r\nDate: 2026-03-01T12:00:00Z\r\nCSeq: {}\r\n"
    head = start + "Content-Type: \r\nContent-Length: {}\r\n\r\n"
    body = f"<body><DS>127.0.0.1:8802</DS><US>127.0.0.1:{us.port}</US></body>"
    info = f"<body><DevVersion>6.7.30</DevVersion><Info>{SEALED_INFO}</Info></body>"
    assert [answer.raw.decode() for answer in answers] == [
        head.format(1, len(body)) + body,
        start.format(2) + "\r\n",
        head.format(3, len(info)) + info,
    ]
    assert [answer.sender for answer in answers] == [cloud.main.address, us.address, us.address]
    assert cloud.faults == []


def test_the_info_tells_the_recorders_own_facts(client, cloud, recorder):
    recorder.version, recorder.randsalt = "8.1", "ab" * 16
    recorder.ports["rtspport"] = 5554
    answer = client.info(cloud)
    assert "<DevVersion>8.1</DevVersion>" in answer.body
    plain = opened(re.search("<Info>(.*)</Info>", answer.body)[1])
    assert plain == PLAIN_INFO.replace("5daf91fc5cfc1be8e081cfb08f792726", "ab" * 16).replace(
        "554", "5554"
    )


def outcome(client, server, path) -> str:
    """What one question brings: the code and what matters of the body, or "silence"."""
    asked = client.send(server, path)
    # The same server answers in turn, so what is not there before this answer will not come.
    client.send(server, path.replace(SERIAL, "OTHER1"))
    heard = client.hear()
    if heard.cseq != asked:
        return "silence"
    client.hear()
    facts = re.sub(r"</?body>|<DS>.*</DS>|</\w+>", "", heard.body)
    return f"{heard.code} {facts}".replace(SEALED_INFO, "...").strip()


FINE = {"lookup": "200 <US>it", "probe": "200", "info": "200 <DevVersion>6.7.30<Info>..."}
LOST = {"probe": "404", "info": "404"}


@pytest.mark.parametrize(
    ("state", "differs"),
    [
        ("online", {}),
        ("offline", {"lookup": "404", **LOST}),
        ("unknown", {"lookup": "404", **LOST}),
        ("no_us", {"lookup": "200", **LOST}),
        ("us_empty", {"lookup": "200 <US>"}),
        ("us_no_colon", {"lookup": "200 <US>127.0.0.1"}),
        ("us_port_word", {"lookup": "200 <US>127.0.0.1:none"}),
        ("us_port_0", {"lookup": "200 <US>127.0.0.1:0"}),
        ("us_port_65536", {"lookup": "200 <US>127.0.0.1:65536"}),
        ("probe_404", {"probe": "404"}),
        ("info_404", {"info": "404"}),
        ("gone", LOST),
        ("silent", {"probe": "silence", "info": "silence"}),
        ("probe_silent", {"probe": "silence"}),
        ("info_silent", {"info": "silence"}),
        ("info_empty", {"info": "200 <DevVersion>6.7.30<Info>"}),
        ("info_missing", {"info": "200 <DevVersion>6.7.30"}),
        ("no_body", {"info": "200"}),
        ("key_error", {"probe": "401 <Error>KeyError", "info": "401 <Error>KeyError"}),
    ],
)
def test_each_state_is_answered_as_written(client, state, differs):
    with cloud_of(Recorder(SERIAL, 1, state), Recorder("OTHER1", 1)) as cloud:
        us = cloud.regions[1]
        answers = {
            "lookup": outcome(client, cloud.main, f"/online/p2psrv/{SERIAL}"),
            "probe": outcome(client, us, f"/probe/device/{SERIAL}"),
            "info": outcome(client, us, f"/info/device/{SERIAL}"),
        }
        expected = {**FINE, **differs}
        assert answers == {
            step: text.replace("it", f"127.0.0.1:{us.port}") for step, text in expected.items()
        }
        assert cloud.faults == []


def test_every_state_is_in_the_table_above():
    table = test_each_state_is_answered_as_written.pytestmark[0].args[1]
    assert [state for state, _ in table] == list(wire.STATES)


def test_a_state_changes_while_the_cloud_runs(client, cloud, recorder):
    assert client.lookup(cloud).code == 200
    recorder.state = "offline"
    assert client.lookup(cloud).code == 404
    with cloud.lock:
        recorder.state, recorder.us = "online", "127.0.0.9:9"
    assert client.lookup(cloud).us == "127.0.0.9:9"


def test_a_recorder_that_moved_is_no_longer_known_where_it_was(client, cloud, recorder):
    recorder.server = 0
    assert client.lookup(cloud).us == f"127.0.0.1:{cloud.regions[0].port}"
    assert client.probe(cloud).code == 404
    assert client.ask(cloud.regions[0], f"/probe/device/{SERIAL}").code == 200


def test_an_answer_for_once_is_given_once_and_one_for_a_step_always(client, cloud, recorder):
    recorder.answers = {"lookup": "403"}
    recorder.once = {"info": "no_body"}
    bodies = [client.info(cloud).body for _ in range(3)]
    assert [bool(body) for body in bodies] == [False, True, True]
    assert [client.lookup(cloud).code for _ in range(2)] == [403, 403]


def test_trying_comes_before_each_final_answer(client, cloud, recorder):
    recorder.trying = 2
    asked = client.send(cloud.regions[1], f"/probe/device/{SERIAL}")
    heard = [client.hear() for _ in range(3)]
    assert [part.code for part in heard] == [100, 100, 200]
    assert {part.cseq for part in heard} == {asked}
    assert heard[0].raw.startswith(b"HTTP/1.1 100 Trying\r\n")


def test_whoever_comes_without_auth_after_a_key_error_is_answered(client, cloud, recorder):
    recorder.state = "key_error"
    assert client.probe(cloud, auth=False).code == 400
    assert client.probe(cloud).body == "<body><Error>KeyError</Error></body>"
    assert client.probe(cloud, auth=False).code == 200
    assert cloud.faults == ["US1: probe without auth headers"]


INFO_BODY = f"<body><DevVersion>6.7.30</DevVersion><Info>{SEALED_INFO}</Info></body>"
INFO_HEAD = (
    "HTTP/1.1 200 OK\r\nDate: 2026-03-01T12:00:00Z\r\nCSeq: 1\r\n"
    f"Content-Type: \r\nContent-Length: {len(INFO_BODY)}\r\n"
)
INFO = INFO_HEAD + "\r\n" + INFO_BODY


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("no_reason", INFO.replace(" OK", "")),
        ("no_blank_line", INFO_HEAD + INFO_BODY),
        ("cut", INFO[: len(INFO) // 2]),
        ("empty", ""),
    ],
)
def test_a_malformed_answer_is_the_right_one_with_that_one_flaw(client, cloud, recorder, form, raw):
    recorder.answers = {"info": form}
    assert client.info(cloud).raw.decode() == raw


def test_odd_spaces_and_names_in_small_letters_are_all_that_differs(client, cloud, recorder):
    recorder.answers = {"lookup": "odd_spaces", "info": "lower_case"}
    odd = client.lookup(cloud, cseq=1).raw.decode()
    assert odd.startswith(
        "HTTP/1.1   200 OK  \r\nDate:   2026-03-01T12:00:00Z  \r\nCSeq:   1  \r\n"
    )
    small = client.info(cloud, cseq=1).raw.decode()
    assert re.findall("(?m)^([A-Za-z-]+):", small) == [
        "date",
        "cseq",
        "content-type",
        "content-length",
    ]
    assert small.lower() == INFO.lower()


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("dtd", '<!DOCTYPE body [<!ENTITY a "a">]>' + INFO_BODY),
        ("not_xml", INFO_BODY.replace("</", "<")),
        ("long", INFO_BODY.replace("</body>", f"<Padding>{'0' * 6000}</Padding></body>")),
    ],
)
def test_a_malformed_body_has_headers_that_fit_it(client, cloud, recorder, form, body):
    recorder.answers = {"info": form}
    answer = client.info(cloud)
    assert (answer.code, answer.body) == (200, body)
    assert answer.header("Content-Length") == str(len(body))


def test_noise_is_no_text_at_all(client, cloud, recorder):
    recorder.answers = {"lookup": "noise"}
    assert client.lookup(cloud).raw == bytes(range(256))


def test_a_misspelt_answer_is_refused_with_the_words_there_are():
    with pytest.raises(ValueError, match=r"no such answer 'slient' .*'silent'"):
        Recorder(SERIAL, answers={"info": "slient"}).next_kind("info")


# --- what the cloud listens to ----------------------------------------------------------------

SOUND = asking(f"/online/p2psrv/{SERIAL}")


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


# --- what goes wrong on the way ---------------------------------------------------------------


def answered(client, cloud, serials, times=1) -> list[Heard]:
    """What comes back when each serial is looked up so many times."""
    cloud.forget()
    for _ in range(times):
        for serial in serials:
            client.send(cloud.main, f"/online/p2psrv/{serial}")
    return client.hear_all(cloud, len(serials) * times)


SERIALS = [recorder.serial for recorder in fleet(200)]


@pytest.mark.parametrize("way", ["request_loss", "answer_loss"])
def test_loss_is_about_what_was_asked_for_and_the_same_for_the_same_seed(client, way):
    def run(seed: int) -> list[int]:
        with cloud_of(*fleet(200, 2), seed=seed) as cloud:
            setattr(cloud, way, 0.3)
            first = client.cseq
            return [heard.cseq - first for heard in answered(client, cloud, SERIALS)]

    heard = run(1)
    assert 110 <= len(heard) <= 170  # 140 expected, 6.5 is the standard deviation
    assert run(1) == heard
    assert run(2) != heard


def test_loss_strikes_both_ways(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.request_loss = cloud.answer_loss = 0.5
        assert 25 <= len(answered(client, cloud, SERIALS)) <= 75


def test_a_lost_request_is_counted_but_changes_nothing(client, cloud, recorder):
    recorder.once = {"lookup": "404"}
    cloud.request_loss = 1.0
    assert answered(client, cloud, [SERIAL], 3) == []
    assert (cloud.main.tally.counts["lookup"], recorder.once) == (3, {"lookup": "404"})
    cloud.request_loss = 0.0
    assert client.lookup(cloud).code == 404


def test_the_luck_of_one_serial_does_not_depend_on_the_others(client):
    with cloud_of(*fleet(9, 2), seed=3) as cloud:
        cloud.answer_loss = 0.5
        first = client.cseq
        alone = [heard.cseq - first for heard in answered(client, cloud, SERIALS[:1], 12)]
        first = client.cseq
        among_others = [heard.cseq - first for heard in answered(client, cloud, SERIALS[:9], 12)]
    assert 0 < len(alone) < 12
    assert alone == [number // 9 + 1 for number in among_others if number % 9 == 1]


def test_a_busy_cloud_sends_a_share_away_though_their_time_is_right(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.busy = 0.25
        heard = answered(client, cloud, SERIALS)
        away = [answer for answer in heard if answer.code == 401]
        assert len(heard) == 200
        assert 25 <= len(away) <= 75
        assert {answer.body for answer in away} == {"<body><Error>Error TimeOut</Error></body>"}
        assert {answer.header("Date") for answer in away} == {created(NOON)}


def test_a_held_answer_comes_when_it_is_released(client, cloud):
    cloud.delay = lambda server, request: math.inf if request.step == "lookup" else 0.0
    held = [client.send(cloud.main, f"/online/p2psrv/{SERIAL}") for _ in range(2)]
    assert client.ask(cloud.main, HELLO).cseq == held[-1] + 1
    cloud.release()
    assert [client.hear().cseq for _ in range(2)] == held


def test_a_delay_may_differ_by_server(client, cloud):
    cloud.delay = lambda server, request: math.inf if server is cloud.main else 0.0
    held = client.send(cloud.main, f"/online/p2psrv/{SERIAL}")
    assert client.probe(cloud).code == 200
    wait_until(lambda: cloud.asked["lookup", SERIAL] == 1)
    cloud.release()
    assert client.hear().cseq == held


def test_a_delayed_answer_comes_after_one_that_was_asked_later_but_trying_does_not(
    client, cloud, recorder
):
    recorder.trying = 1
    cloud.delay = lambda server, request: 0.2 if request.step == "lookup" else 0.0
    with cloud.lock:  # it takes neither before both are there
        client.send(cloud.main, f"/online/p2psrv/{SERIAL}")
        client.send(cloud.main, HELLO)
    assert [(heard.code, heard.cseq) for heard in (client.hear() for _ in range(3))] == [
        (100, 1),
        (200, 2),
        (200, 1),
    ]


def test_a_share_of_the_answers_is_late(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.late, cloud.lateness = 0.25, math.inf
        in_time = answered(client, cloud, SERIALS)
        assert 125 <= len(in_time) <= 175
        cloud.release()
        wait_until(lambda: cloud.is_quiet)
        late = [client.hear() for _ in range(200 - len(in_time))]
        assert len({answer.cseq for answer in in_time + late}) == 200


def test_a_share_of_the_answers_comes_twice(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.duplicates = 0.25
        heard = [answer.cseq for answer in answered(client, cloud, SERIALS)]
        assert len(set(heard)) == 200
        assert 225 <= len(heard) <= 275


@pytest.mark.parametrize(
    ("cseq", "header"),
    [("same", "5"), ("wrong", str(5 ^ 1 << 30)), ("zero", "0"), ("missing", None)],
)
def test_answers_carry_the_cseq_that_was_ordered(client, cloud, cseq, header):
    cloud.cseq = cseq
    assert client.lookup(cloud, cseq=5).header("CSeq") == header


@pytest.mark.parametrize(
    ("forger", "host", "is_right_port", "is_right_cseq"),
    [
        ("address", "127.66.6.6", True, True),
        ("port", "127.0.0.1", False, True),
        ("cseq", "127.0.0.1", True, False),
    ],
)
@pytest.mark.parametrize(("state", "lie", "truth"), [("online", 404, 200), ("offline", 200, 404)])
def test_a_forger_says_the_opposite_first_and_from_elsewhere(
    client, cloud, recorder, forger, host, is_right_port, is_right_cseq, state, lie, truth
):
    recorder.state = state
    cloud.forgers = {forger}
    us = cloud.regions[1]
    for server, path in (
        (cloud.main, "/online/p2psrv/"),
        (us, "/probe/device/"),
        (us, "/info/device/"),
    ):
        asked = client.send(server, path + SERIAL)
        forged, true = client.hear(), client.hear()
        assert (true.code, true.sender, true.cseq) == (truth, server.address, asked)
        assert (forged.code, forged.sender[0]) == (lie, host)
        assert (forged.sender[1] == server.port) == is_right_port
        assert (forged.cseq == asked) == is_right_cseq
        assert lie == 404 or bool(forged.body) == (path != "/probe/device/")


def test_forgers_also_speak_for_whoever_is_silent(client, cloud, recorder):
    recorder.state = "silent"
    cloud.forgers = {"address", "cseq", "port"}
    client.send(cloud.regions[1], f"/info/device/{SERIAL}")
    assert [client.hear().code for _ in range(3)] == [200] * 3
    assert client.hear_all(cloud, 1) == []


def test_a_connected_socket_never_hears_a_forger_from_elsewhere(client, cloud):
    cloud.forgers = {"address", "port"}
    client.socket.connect(cloud.main.address)
    client.socket.send(asking(f"/online/p2psrv/{SERIAL}"))
    assert [heard.code for heard in client.hear_all(cloud, 1)] == [200]


def test_a_silent_main_server_hears_and_does_not_answer(client, cloud):
    cloud.main_silent = True
    assert answered(client, cloud, [SERIAL]) == []
    assert client.probe(cloud).code == 200
    cloud.main_silent = False
    assert client.lookup(cloud).code == 200


def test_a_silent_region_leaves_the_other_alone(client):
    with cloud_of(Recorder("A1", 0), Recorder("B1", 1)) as cloud:
        cloud.regions[0].silent = True
        client.send(cloud.regions[0], "/probe/device/A1")
        assert client.hear_all(cloud, 1) == []
        assert client.ask(cloud.regions[1], "/probe/device/B1").code == 200


def test_a_dead_server_refuses_until_it_is_back_on_the_same_port(client, cloud):
    us = cloud.regions[1]
    before = us.address
    us.dead = True
    client.socket.connect(us.address)
    client.socket.send(asking(f"/probe/device/{SERIAL}"))
    with pytest.raises(ConnectionRefusedError):
        client.hear()
    us.dead = False
    client.socket.send(asking(f"/probe/device/{SERIAL}"))
    assert client.hear().code == 200
    assert (us.address, cloud.asked.total()) == (before, 1)


def test_what_a_server_still_had_to_say_dies_with_it(client, cloud):
    cloud.delay = math.inf
    client.send(cloud.regions[1], f"/probe/device/{SERIAL}")
    wait_until(lambda: cloud.asked.total() == 1)
    cloud.regions[1].dead = True
    cloud.release()
    assert client.hear_all(cloud, 1) == []


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
    tally = wire.Tally()
    for cseq, at in enumerate([0.0, 0.5, 0.9, 1.0, 1.4, 1.45, 1.49, 5.0, 5.1], start=1):
        tally.add(wire.Request("hello", "", cseq, None), at)
    for _ in range(10):
        tally.add(wire.Request("hello", "", 9, None), 5.2)
    assert (tally.peak, tally.new, tally.repeats) == (6, 9, 10)


def test_a_cseq_of_long_ago_is_new_again():
    tally = wire.Tally()
    for at in (0.0, 50.0, 109.0, 170.0):
        tally.add(wire.Request("lookup", SERIAL, 1, None), at)
    assert (tally.new, tally.repeats) == (2, 2)


def test_the_peak_is_seen_on_the_wire(client):
    with cloud_of(*fleet(40, 2)) as cloud:
        answered(client, cloud, SERIALS[:40])
        assert 2 <= cloud.main.tally.peak <= 40
        assert cloud.regions[0].tally.peak == 0


# --- the whole ---------------------------------------------------------------------------------


def test_fifty_thousand_serials_are_told_apart_and_a_burst_is_not_lost(client):
    recorders = fleet(50_000)
    assert len({recorder.serial for recorder in recorders}) == 50_000
    with cloud_of(*recorders, servers=8) as cloud:
        for start in range(0, 50_000, 10_000):
            burst = {
                client.send(cloud.main, f"/online/p2psrv/{recorder.serial}"): recorder
                for recorder in recorders[start : start + 100]
            }
            for _ in burst:
                heard = client.hear()
                server = cloud.regions[burst[heard.cseq].server]
                assert heard.us == f"127.0.0.1:{server.port}"
        assert (cloud.faults, cloud.asked_foreign) == ([], {})


def test_a_stopped_cloud_frees_its_ports_and_comes_back_where_it_was(client, recorder):
    cloud = cloud_of(recorder)
    with cloud:
        ports = [server.port for server in cloud.servers]
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", port))
    with cloud:
        assert [server.port for server in cloud.servers] == ports
        assert client.lookup(cloud).code == 200


def test_every_server_is_on_loopback_only(cloud):
    assert {server.socket.getsockname()[0] for server in cloud.servers} == {"127.0.0.1"}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_answers_until_it_is_told_to_end(client, ending):
    command = [sys.executable, "-m", "simulators.easy4ip", "--count", "60", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        main = ("127.0.0.1", int(process.stdout.readline()))
        codes = []
        for serial in SERIALS[:61]:
            client.socket.sendto(asking(f"/online/p2psrv/{serial}", at=time.time()), main)
            codes.append(client.hear().code)
        assert codes.count(404) == 3 + 1  # one in twenty is offline, the 61st is nobody's
    finally:
        os.kill(process.pid, ending)
        output, complaints = process.communicate(timeout=LIMIT)
    assert (process.returncode, output, complaints) == (0, "", "")
