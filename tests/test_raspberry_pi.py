"""The guide for a Raspberry Pi says what the files that it leads to say. `PAGE=pi32 deploy/bare.sh`
and `PAGE=pi64` type its commands into a bare Debian (make torture)."""

import re
from pathlib import Path

from settings import Settings
from sources.camera_troubles import APT

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "raspberry-pi.md").read_text()


def commands(heading: str) -> list[str]:
    """The commands of a section."""
    section = GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^    (.+)$", section, re.MULTILINE)


def installed(heading: str) -> set[str]:
    """The Debian packages that the section installs before `make run`."""
    before = " ".join(commands(heading)).partition("make run")[0]
    return {name for name in before.split() if name.startswith("python3-")}


def test_the_packages_of_the_guide_are_those_that_the_setup_looks_for() -> None:
    rows = (ROOT / "deploy" / "apt-packages.txt").read_text().splitlines()
    needed = {row.split()[2] for row in rows if not row.startswith("#")}
    assert installed("32-bit") == needed | {"python3-venv", "python3-picamera2"}


def test_each_package_comes_from_debian_or_from_the_lock_or_is_said_to_be_missing() -> None:
    def names(file: str, pattern: str) -> set[str]:
        return set(re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE))

    needed = {name.partition("[")[0] for name in names("requirements.in", r"^([a-z][a-z\[\]-]*)")}
    of_apt = names("deploy/apt-packages.txt", r"^([a-z][a-z-]*) ")
    of_lock = names("requirements-apt.txt", r"^([a-z]+)==")
    assert needed - of_apt - of_lock == {"python-calamine", "opencv-python-headless"}


def test_the_camera_library_is_installed_as_its_error_says() -> None:
    assert "python3-picamera2" in APT
    assert "python3-picamera2" in installed("64-bit")


def test_the_options_of_the_guide_exist() -> None:
    named = set(re.findall(r"`([A-Z_]{5,})[=`]", GUIDE)) - {"PACKAGES"}
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_service_lets_the_camera_be_used() -> None:
    """Each of these hides the devices in /dev, ProtectClock only before systemd 253."""
    unit = (ROOT / "deploy" / "camera-monitor.service").read_text()
    lines = [line for line in unit.splitlines() if not line.startswith("#")]
    hiding = ("PrivateDevices", "ProtectClock", "DevicePolicy", "DeviceAllow")
    assert [line for line in lines if line.startswith(hiding)] == []
    assert "usermod -aG video camera-monitor" in GUIDE
