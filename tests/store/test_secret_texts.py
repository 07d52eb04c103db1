"""A password in what a device sends is masked in every spelling, and nothing else is."""

import base64
import html
from urllib.parse import quote, quote_plus

import pytest

from store.secret_texts import SecretTexts

ODD = 'p@ss/wörd&"x y+z'


@pytest.mark.parametrize(
    "spelled",
    [
        ODD,
        ODD.upper(),
        quote(ODD),
        quote(ODD, safe=""),
        quote(ODD, safe="").lower(),
        quote_plus(ODD),
        html.escape(ODD),
        base64.b64encode(ODD.encode()).decode(),
        base64.b64encode(f"admin:{ODD}".encode()).decode(),
        base64.urlsafe_b64encode(f"admin:{ODD}".encode()).decode().rstrip("="),
    ],
)
def test_each_spelling_of_a_password_is_masked(spelled: str) -> None:
    texts = SecretTexts.of([ODD], "admin")
    masked = texts.hidden(f"Server {spelled}, twice {spelled}")
    assert masked.replace("=", "") == "Server ***, twice ***"


@pytest.mark.parametrize(
    ("password", "text", "masked"),
    [
        ("26", "26 H264 at 26 fps", "26 H264 at 26 fps"),
        ("abc", "abcd abc-1 (ABC) xabc", "abcd ***-1 (***) xabc"),
        ("12345", "S123456 12345_1", "S123456 ***_1"),
        ("123456", "S1234567", "S***7"),
        ("ab", "YWRtaW46YWI=", "***="),
        ("", "admin: YWRtaW46", "admin: YWRtaW46"),
    ],
)
def test_a_short_password_is_masked_only_as_a_word(password: str, text: str, masked: str) -> None:
    assert SecretTexts.of([password], "admin").hidden(text) == masked


def test_a_password_that_a_device_writes_into_a_url_as_it_is_and_that_is_decoded_is_masked() -> (
    None
):
    assert SecretTexts.of(["Ibis%41Wolke"]).hidden("Name IbisAWolke") == "Name ***"


@pytest.mark.parametrize("password", ["video", "Password", "login"])
def test_a_password_that_our_own_sentences_contain_leaves_no_gap(password: str) -> None:
    text = "video H264; wrong user name or password, login refused"
    assert SecretTexts.of([password], "admin").hidden(text) == text


@pytest.mark.parametrize("password", ["username", "password", "{password}", "user"])
def test_the_placeholders_of_a_path_stay(password: str) -> None:
    path = "/user={username}_password={password}_channel=1"
    assert "{username}_password={password}" in SecretTexts.of([password]).hidden(path)


def test_a_text_without_a_password_is_the_very_same() -> None:
    text = "".join(["Hikvision ", "DS-2"])
    assert SecretTexts.of([ODD, "secret-7"], "admin").hidden(text) is text
    assert ODD not in repr(SecretTexts.of([ODD]))
