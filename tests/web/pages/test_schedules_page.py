"""The pages of schedules: the list, the form undo, and the details."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from tests.home import Home
from tests.web.browser import Browser, Element, fields
from video.build import VideoPackage
from video.schedule import CONTINUOUS, DAILY, DAYS, ONE_TIME, WEEKLY, Schedule
from video.schedule_words import described, first_day_shown, week_bars

NIGHTS = {
    "name": "Nights",
    "camera": 1,
    "schedule_type": "weekly",
    "start_time": "18:00",
    "end_time": "06:00",
    "days_of_week": ["friday"],
    "timezone": "UTC",
}
FRIDAY = Schedule(1, "", WEEKLY, (1,), "Europe/Berlin", time(18), time(6), ("friday",))


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    """Two cameras, Gate (1) and Yard (2), on a Monday at noon."""
    home = make_home()
    home.clock.now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    for number, name in enumerate(("Gate", "Yard"), 1):
        host = f"127.9.9.{number}"
        body = {"name": name, "ip_address": host, "rtsp_url": f"rtsp://{host}/live"}
        assert home.client.post("/api/cameras", json=body).status_code == 201
    return home


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def form_of(page: Element) -> Element:
    return page.form("/schedules/edit")


def stored(home: Home) -> list[Schedule]:
    return home.monitor.packages.find(VideoPackage).schedules.schedules()


def made(home: Home, **values: Any) -> int:
    answer = home.client.post("/api/schedules", json={**NIGHTS, **values})
    assert answer.status_code == 201, answer.text
    return int(answer.json["id"])


def row_form(page: Element, do: str) -> Element:
    """The first form of the list with this button."""
    forms = page.find("form", action="/schedules")
    return next(form for form in forms if form.find("button", value=do))


# -- in words and as a picture ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (FRIDAY, "Fri, 18:00 to 06:00"),
        (
            Schedule(1, "", WEEKLY, (), "UTC", time(8), time(8), DAYS[:5]),
            "Mon to Fri, 24 h from 08:00",
        ),
        (Schedule(1, "", DAILY, (), "UTC", time(), time()), "Every day, 24 h"),
        (
            Schedule(1, "", CONTINUOUS, (), "UTC", end_date=date(2026, 5, 1)),
            "Always, until 1 May 2026",
        ),
        (
            Schedule(
                1,
                "",
                ONE_TIME,
                (),
                "UTC",
                time(8),
                time(9, 0, 30),
                (),
                date(2026, 5, 1),
                date(2026, 5, 1),
            ),
            "1 May 2026, 08:00 to 09:00:30",
        ),
    ],
)
def test_a_schedule_in_words(schedule: Schedule, text: str) -> None:
    assert described(schedule) == text


def test_a_week_is_drawn_by_the_clock_of_the_schedule() -> None:
    monday = first_day_shown(FRIDAY, datetime(2026, 3, 26, 12, tzinfo=UTC))
    assert monday == date(2026, 3, 23)
    bars = week_bars(FRIDAY, monday)
    assert bars == [[], [], [], [], [(1080, 1440)], [(0, 360)], []]
    sunday = Schedule(1, "", WEEKLY, (1,), "Europe/Berlin", time(1), time(5), ("sunday",))
    assert week_bars(sunday, monday)[6] == [(60, 300)]  # an hour of it is skipped by the clock


# -- without script -----------------------------------------------------------------------------


def test_the_form_creates_and_changes_a_schedule(home: Home, browser: Browser) -> None:
    assert "No schedules yet" in browser.visit("/schedules").text
    form = form_of(browser.visit("/schedules/edit?camera=1"))
    filled = {
        "name": "Nights",
        "start_time": "18:00",
        "end_time": "06:00",
        "timezone": "Europe/Berlin",
    }
    page = browser.press(form, **filled)
    assert "Schedule created" in page.text
    assert "Mon to Fri, 18:00 to 06:00 (Europe/Berlin)" in page.text
    assert "18:00, in 5 h" in page.text
    (schedule,) = stored(home)
    assert (schedule.devices, schedule.days) == ((1,), DAYS[:5])
    form = form_of(browser.visit(f"/schedules/edit?schedule={schedule.id}"))
    page = browser.press(form, schedule_type="continuous", cameras_search="Yard")
    assert "Schedule saved" in page.text
    (schedule,) = stored(home)
    assert (schedule.kind, schedule.devices) == (CONTINUOUS, (1, 2))
    page = browser.press(form_of(browser.visit(f"/schedules/edit?schedule={schedule.id}")))
    assert "Nothing changed" in page.text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"start_time": ""}, "The start time is missing. Enter a time such as 18:00."),
        ({"timezone": "Mars"}, "The time zone “Mars” does not exist."),
        ({"cameras_search": "Nowhere"}, "Nothing matches “Nowhere”."),
        ({"start_date": "2026-99-01"}, "must be a date such as 2026-11-27"),
        ({"schedule_type": ""}, "No type is selected."),
    ],
)
def test_a_form_with_a_fault_keeps_what_was_typed(
    home: Home, browser: Browser, values: dict[str, str], text: str
) -> None:
    form = form_of(browser.visit("/schedules/edit?camera=1"))
    typed = {"name": "Nights", "start_time": "18:00", "end_time": "06:00", **values}
    answer = browser.send(form, **typed)
    assert answer.status_code == 422
    assert text in answer.text
    assert 'value="Nights"' in answer.text
    assert 'value="06:00"' in answer.text
    assert stored(home) == []


def test_buttons_of_the_list_deactivate_and_delete_and_undo_restores(
    home: Home, browser: Browser
) -> None:
    made(home)
    page = browser.press(row_form(browser.visit("/schedules"), "deactivate"), button="Deactivate")
    assert "Schedule deactivated" in page.text
    assert [schedule.is_active for schedule in stored(home)] == [False]
    page = browser.press(row_form(page, "activate"), button="Activate")
    page = browser.press(row_form(page, "delete"), button="Delete")
    assert "Schedule deleted" in page.text
    assert stored(home) == []
    page = browser.press(page.find("form", **{"data-toast": "Schedule deleted"})[0])
    assert "Undone" in page.text
    assert [schedule.is_active for schedule in stored(home)] == [True]


def test_the_list_tells_what_shares_a_recording(home: Home, browser: Browser) -> None:
    made(home)
    made(home, name="Always", schedule_type="continuous")
    made(home, name="Yard", camera=2)
    text = browser.visit("/schedules").text
    assert "Shares the recording with “Always”" in text
    assert "Shares the recording with “Nights”" in text
    assert text.count("Shares") == 2
    home.client.patch("/api/cameras/2", json={"auto_record": True})
    assert "Shares the recording with the continuous recording of Yard" in (
        browser.visit("/schedules?camera=2").text
    )


def test_the_details_of_a_device_name_its_schedules(home: Home, browser: Browser) -> None:
    assert "not scheduled" in browser.visit("/cameras/1").text
    made(home)
    assert "Nights Fri, 18:00 to 06:00" in browser.visit("/cameras/1").text
    home.client.patch("/api/cameras/2", json={"auto_record": True})
    assert "Recorded: always" in browser.visit("/cameras/2").text


def test_the_edit_form_of_a_camera_sets_how_it_is_recorded(home: Home, browser: Browser) -> None:
    def form(page: Element) -> Element:
        return page.find_one("form", action="/cameras/1/edit", **{"class": "edit"})

    def recording() -> dict[str, Any]:
        return dict(home.device("1").recording)

    browser.press(form(browser.visit("/cameras/1")), "Save")
    assert recording() == {}, "saved as it was"
    values = {"auto_record": "yes", "record_quality": "low", "retention_days": "7"}
    page = browser.press(form(browser.visit("/cameras/1")), "Save", **values)
    assert recording() == {"auto_record": True, "record_quality": "low", "retention_days": 7}
    shown = fields(form(page))
    assert (shown["auto_record"], shown["retention_days"]) == (["yes"], "7")
    assert form(page).find_one("option", value="low").get("selected", "no") != "no"
    undo = next(form for form in page.find("form") if form.get("action").startswith("/undo/"))
    browser.press(undo)
    assert recording() == {}
    for days in ("0", "x", "-1", "4000", "9" * 40):
        answer = browser.send(form(browser.visit("/cameras/1")), "Save", retention_days=days)
        assert (answer.status_code, recording()) == (422, {})
        assert "Enter days, from 1 to 3650" in answer.text
