"""Answers of the pretend Easy4IP cloud: the described bytes, and each state of a recorder."""

import hashlib
import re
from base64 import b64decode

import pytest

from simulators import easy4ip_wire as wire
from simulators.easy4ip import Recorder
from tests.simulators.easy4ip_client import (
    PLAIN_INFO,
    SEALED_INFO,
    SERIAL,
    cloud_of,
    moment,
    request_bytes,
)


def opened(sealed: str) -> str:
    """The plain text of an Info. OFB opens as it seals: a stream is laid over the text twice."""
    zeros = b64decode(wire.sealed("\0" * len(b64decode(sealed))))
    return bytes(a ^ b for a, b in zip(zeros, b64decode(sealed), strict=True)).decode()


OLD_USER, OLD_KEY = "P2PClient", "YXQ3Mahe-5H-R1Z_"


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
    datagram = request_bytes(f"/online/p2psrv/{SERIAL}", at=at)
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


def test_a_client_without_auth_after_a_key_error_is_answered(client, cloud, recorder):
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
