"""The switch of the looks: open to everybody, so it must lead nowhere else."""

from urllib.parse import urljoin, urlsplit

import pytest

from tests.home import Home
from tests.web.browser import Browser


def test_the_switch_changes_the_look_and_leads_back(mixed: Home) -> None:
    browser = Browser(mixed.app.test_client())
    page = browser.visit("/?status=active")
    assert page.find_one("html")["data-theme"] == "auto"
    page = browser.press(page.form("/theme"), "Dark")
    assert page.find_one("html")["data-theme"] == "dark"
    assert page.find_one("button", name="theme", value="dark")["aria-pressed"] == "true"
    assert "3 devices" in page.text


@pytest.mark.parametrize(
    "back",
    [
        "http://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        "\t//evil.example",
        "javascript:alert(1)",
        "/\x00",
        "",
    ],
)
def test_it_never_leads_to_another_site(mixed: Home, back: str) -> None:
    answer = mixed.app.test_client().post("/theme", data={"theme": "dark", "back": back})
    assert answer.status_code == 303
    # As a browser reads it: blanks inside are dropped, a backslash is a slash.
    location = answer.headers["Location"].translate({9: None, 10: None, 13: None, 92: "/"})
    assert urlsplit(urljoin("http://localhost/", location)).netloc == "localhost"
    assert answer.headers.getlist("Set-Cookie") == [answer.headers["Set-Cookie"]]


@pytest.mark.parametrize("theme", ["", "pink", "dark; Domain=evil.example", "\n", "x" * 10_000])
def test_a_look_that_does_not_exist_is_not_kept(mixed: Home, theme: str) -> None:
    client = mixed.app.test_client()
    answer = client.post("/theme", data={"theme": theme, "back": "/"})
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (303, None)
    assert 'data-theme="auto"' in client.get("/").text


def test_a_cookie_that_is_nonsense_is_left_out(mixed: Home) -> None:
    answer = mixed.app.test_client().get("/", headers={"Cookie": 'theme="><script>'})
    assert answer.status_code == 200
    assert 'data-theme="auto"' in answer.text
