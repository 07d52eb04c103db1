"""SOAP of ONVIF devices: logins, and the many ways in which they are refused."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest

from sources import soap, xml_tree
from sources.login_challenges import Login
from tests.sources.onvif_texts import INFORMATION, fault, message

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
PAGE = b"<!DOCTYPE html><html><body>401 Unauthorized</body></html>"


def test_a_token_has_the_digest_of_the_password_and_never_the_password() -> None:
    token = soap.username_token(Login("ad<min", "pass"), NOON, b"nonce")
    body = xml_tree.parse(soap.envelope(soap.DEVICE, "<GetScopes/>", token))
    login = ("Envelope", "Header", "Security", "UsernameToken")
    created = xml_tree.text(body, *login, "Created")
    digest = hashlib.sha1(b"nonce" + created.encode() + b"pass").digest()
    assert created == "2026-11-28T12:00:00.000Z"
    assert xml_tree.text(body, *login, "Username") == "ad<min"
    assert xml_tree.text(body, *login, "Password") == base64.b64encode(digest).decode()
    assert "pass" not in str(body)


def test_a_response_is_success_fault_or_trouble() -> None:
    assert soap.read(200, message(INFORMATION)).is_success
    assert not soap.read(400, message(INFORMATION)).is_success
    assert soap.read(200, fault()).fault == "env:senderter:notauthorizedsendernotauthorized"
    assert soap.read(200, PAGE).trouble == "HTML page"
    assert soap.read(200, b"").trouble == "empty response"
    assert soap.read(200, b"<a/>").trouble == "no SOAP message"
    assert soap.read(200, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").trouble


TIME = "Wsse authorized time check failed"


@pytest.mark.parametrize(
    ("status", "data", "schemes", "sent", "expected"),
    [
        (200, message(INFORMATION), (), "", ""),
        (200, fault(), (), "", soap.LOGIN),
        (400, fault(), (), soap.TOKEN, soap.LOGIN),
        (400, fault("ter:NotAuthorized", TIME), (), soap.TOKEN, soap.CLOCK),
        (400, fault("wsse:MessageExpired", "x"), (), soap.TOKEN, soap.CLOCK),
        (500, fault("wsse:FailedAuthentication", "x"), (), soap.TOKEN, soap.LOGIN),
        (401, PAGE, ("digest",), "digest", soap.LOGIN),
        (401, PAGE, ("digest",), soap.TOKEN, soap.METHOD),
        (401, b"", (), soap.TOKEN, soap.LOGIN),
        (401, b"", ("digest",), "", soap.LOGIN),
        (400, b"", (), soap.TOKEN, soap.LOGIN),
        (403, b"", (), "digest", soap.LOGIN),
        (400, fault("ter:ActionNotSupported", "Action not supported"), (), soap.TOKEN, ""),
        (500, fault("env:Receiver", "Internal error"), (), soap.TOKEN, ""),
        (404, PAGE, (), "", ""),
    ],
)
def test_a_refusal_has_one_reason(
    status: int, data: bytes, schemes: tuple[str, ...], sent: str, expected: str
) -> None:
    assert soap.refusal(soap.read(status, data), schemes, sent) == expected


@pytest.mark.parametrize(("text", "left"), [("Attempts left: 3", 3), ("Not authorized", None)])
def test_the_attempts_that_a_device_has_left_are_read_of_a_fault_and_a_page(
    text: str, left: int | None
) -> None:
    assert soap.read(400, fault("ter:NotAuthorized", text)).attempts_left == left
    assert soap.read(401, f"<html>{text}</html>".encode()).attempts_left == left


def test_a_document_of_too_many_elements_is_not_read_to_its_end() -> None:
    data = b"<r>" + b"<b/>" * xml_tree.MOST + b"</r>"
    assert soap.read(200, data).trouble == "too many elements"
    many = b"<r " + b" ".join(b"a%d=''" % number for number in range(xml_tree.MOST)) + b"/>"
    assert soap.read(200, many + b"&").trouble == "too many elements"
    assert soap.read(200, data[:-10]).trouble == "malformed XML"
