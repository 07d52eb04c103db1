"""Options with a wrong value: one sentence that says what fits."""

import errno
import os

import pytest

import serving
import settings

WRONG = {
    ("PORT", "abc"): "PORT=abc does not fit: it is a whole number from 1 to 65535 "
    "(5000 when it is not set).",
    ("PORT", "70000"): "PORT=70000 does not fit: it is a whole number from 1 to 65535 "
    "(5000 when it is not set).",
    ("AUTO_SCAN_INTERVAL", "5"): "AUTO_SCAN_INTERVAL=5 does not fit: it is a whole number from "
    "10 to 86400 (300 when it is not set).",
    ("LOG_LEVEL", "loud"): "LOG_LEVEL=LOUD does not fit: it is one of DEBUG, INFO, WARNING, ERROR "
    "(INFO when it is not set).",
    ("AUTO_SCAN", "perhaps"): "AUTO_SCAN=perhaps does not fit: it is true or false.",
    ("EASY_IP_TARGETS", "10.0.0.300"): "EASY_IP_TARGETS=10.0.0.300 does not fit: '10.0.0.300' is "
    "not an IPv4 address.",
    ("LOGO_FILE", "logo.exe"): "LOGO_FILE=logo.exe does not fit: a picture ends in .svg, .png, "
    ".jpg, .jpeg, .webp.",
}


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_option_is_said_with_what_fits(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(settings.BadOption) as refused:
        settings.load()
    assert str(refused.value) == WRONG[name, value]


def test_every_wrong_option_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(settings.BadOption, match=r"PORT=abc .* LOG_LEVEL=LOUD"):
        settings.load()


def test_an_address_of_another_machine_is_no_question_of_ports() -> None:
    with pytest.raises(SystemExit, match="Set HOST to an address of this machine"):
        serving.check_address("192.0.2.1", 5000)


def test_a_low_port_is_for_root_alone() -> None:
    error = OSError(errno.EACCES, os.strerror(errno.EACCES))
    assert "1024 or more" in serving._cure_of(error, 80)
