"""A camera that is checked by hand, and one that was never reached."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.home import Home
from tests.web.api.test_saved_cameras import PASSWORD, Probed, add, answer, make_monitor

HOST = "127.0.0.9"
CAMERA = {"ip_address": HOST, "rtsp_url": f"rtsp://{HOST}/stream1", "username": "admin"}


@pytest.fixture
def probed() -> Probed:
    return Probed()


@pytest.fixture
def home(tmp_path: Path, probed: Probed) -> Iterator[Home]:
    with make_monitor(tmp_path, probed) as made:
        yield made


def test_a_camera_that_never_responded_is_shown_and_found_by_the_entered_address(
    home: Home, probed: Probed
) -> None:
    probed.is_on = False
    add(home, {**CAMERA, "password": PASSWORD})
    (row,) = answer(home, "GET", f"/api/cameras?q={HOST}")["cameras"]
    assert (row["id"], row["current_ip"], row["camera_name"]) == (2, HOST, HOST)
    page = home.client.get(f"/?q={HOST}").text
    assert f'<td class="c-address">{HOST}' in page
    assert "no address" not in page


def test_the_page_of_a_camera_checks_it_now_and_shows_the_result(
    home: Home, probed: Probed
) -> None:
    add(home, {**CAMERA, "password": "old"})
    assert 'action="/cameras/2/check"' in home.client.get("/cameras/2").text
    assert 'action="/cameras/1/check"' not in home.client.get("/cameras/1").text
    opened = home.client.get("/cameras/2/check")
    assert (opened.status_code, opened.headers["Location"]) == (303, "/cameras/2")
    sent = home.client.post("/cameras/2/check")
    assert sent.status_code == 303
    asked = len(probed.asked)
    for _reload in range(2):
        page = home.client.get(sent.headers["Location"]).text
        assert "Checked now. RTSP: wrong user name or password" in page
    renewed = sent.headers["Location"].replace("/cameras/2", "/parts/camera/2")
    assert "Checked now. RTSP: wrong user name or password" in home.client.get(renewed).text
    assert len(probed.asked) == asked
    of_another = sent.headers["Location"].replace("/cameras/2", "/cameras/1")
    assert "Checked now" not in home.client.get(of_another).text
    probed.is_on = False
    page = home.client.post("/cameras/2/check", follow_redirects=True).text
    assert "Checked now. RTSP: connection refused" in page
    assert "Turn on RTSP or ONVIF in the menu of the device" in page
    assert "scan again" not in page


def test_a_camera_that_is_added_as_a_device_comes_with_a_warning(home: Home) -> None:
    body = {"ip_address": "127.0.0.31", "device_type": "camera"}
    (warning,) = answer(home, "POST", "/api/devices/", body, 201)["warnings"]
    assert warning.startswith("It is not checked: POST /api/cameras")
