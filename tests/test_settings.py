"""Options with a wrong value: one sentence that says what fits."""

import errno
import os

import pytest

import serving
import settings

WRONG = {
    ("PORT", "abc"): "Invalid PORT=abc: must be a whole number from 1 to 65535 (default: 5000).",
    (
        "PORT",
        "70000",
    ): "Invalid PORT=70000: must be a whole number from 1 to 65535 (default: 5000).",
    (
        "AUTO_SCAN_INTERVAL",
        "5",
    ): "Invalid AUTO_SCAN_INTERVAL=5: must be a whole number from 10 to 86400 (default: 300).",
    (
        "LOG_LEVEL",
        "loud",
    ): "Invalid LOG_LEVEL=LOUD: must be one of DEBUG, INFO, WARNING, ERROR (default: INFO).",
    ("AUTO_SCAN", "perhaps"): "Invalid AUTO_SCAN=perhaps: must be true or false.",
    ("EASY_IP_TARGETS", "10.0.0.300"): "Invalid EASY_IP_TARGETS=10.0.0.300: '10.0.0.300' is "
    "not an IPv4 address.",
    ("STILLS_INTERVAL", "abc"): "Invalid STILLS_INTERVAL=abc: must be 0, or a whole number from 60 "
    "to 604800 (default: 3600).",
    ("PICTURE_HEALTH_INTERVAL", "90000"): "Invalid PICTURE_HEALTH_INTERVAL=90000: must be 0, or a "
    "whole number from 30 to 86400 (default: 300).",
    ("CAMERA_PYTHON", "/nope"): "Invalid CAMERA_PYTHON=/nope: no such program; enter the path of a "
    "Python such as /usr/bin/python3.",
    (
        "LOGO_FILE",
        "logo.exe",
    ): "Invalid LOGO_FILE=logo.exe: the file name must end in .svg, .png, .jpg, .jpeg, .webp.",
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
    with pytest.raises(settings.BadOption, match=r"Invalid PORT=abc: .* Invalid LOG_LEVEL=LOUD"):
        settings.load()


def test_an_address_of_another_machine_is_no_question_of_ports() -> None:
    with pytest.raises(SystemExit, match="Set HOST to an address of this server"):
        serving.check_address("192.0.2.1", 5000)


def test_a_low_port_is_for_root_alone() -> None:
    error = OSError(errno.EACCES, os.strerror(errno.EACCES))
    assert "1024 or higher" in serving._cure_of(error, 80)
