"""What needs attention: recent concerns by name, lasting ones folded, each device once."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet import attention
from fleet.attention import Attention
from fleet.model import Device, Fault
from fleet.recorder_list import SOURCE
from fleet.status import ACTIVE, MISSING, OFFLINE, UNREACHABLE
from tests.fleet.reports import noon


def device(id: int, since: datetime | None = None, *faults: Fault, **more: Any) -> Device:
    at = since or noon()
    more.setdefault("name", f"Camera {id}")
    keys = (more.pop("key"),) if "key" in more else ()
    more.setdefault("site", "here")
    return Device(id, "camera", identities=keys, since=at, findings=faults, last_seen=at, **more)


def shared(address: str, since: datetime | None = None) -> Fault:
    text = f"{address} is also the address of another"
    return Fault("address.shared", since or noon(), text, "test", {"address": address})


def judged(*devices: tuple[Device, str], later: float = 1) -> Attention:
    return attention.attention(
        [device for device, _status in devices],
        {device.id: status for device, status in devices},
        noon(hours=later),
    )


def named(known: Attention) -> list[list[int]]:
    return [[device.id for device in concern.devices] for concern in known.recent]


def test_what_is_down_or_has_a_finding_needs_attention_newest_first() -> None:
    unset = Fault("password.unset", noon(minutes=5), "no password", "test")
    known = judged(
        (device(1), OFFLINE),
        (device(2), ACTIVE),
        (device(3, None, unset), ACTIVE),
        (device(4, noon(minutes=9)), MISSING),
        (replace(device(5), retired_at=noon()), OFFLINE),
    )
    assert named(known) == [[4], [3], [1]]
    assert known.devices() == {1, 3, 4}


def test_devices_that_went_down_at_one_moment_are_in_the_order_of_their_names() -> None:
    names = ("Gate 10", "gate 2", "Car park")
    known = judged(*((device(n, name=name), OFFLINE) for n, name in enumerate(names, 1)))
    assert named(known) == [[3], [2], [1]]


def test_two_devices_with_one_address_are_one_concern() -> None:
    known = judged(
        (device(1, None, shared("10.0.0.5")), ACTIVE),
        (device(2, None, shared("10.0.0.5")), ACTIVE),
        (device(3, None, shared("10.0.0.6")), ACTIVE),
        (device(4, None, shared("10.0.0.6")), OFFLINE),
        (replace(device(5, None, shared("10.0.0.5")), site="Cork"), ACTIVE),
    )
    assert sorted(named(known)) == [[1, 2], [3], [4], [5]]
    assert known.devices() == {1, 2, 3, 4, 5}


def test_a_pair_is_one_concern_although_one_of_them_has_a_newer_finding() -> None:
    unset = Fault("password.unset", noon(minutes=30), "no password", "test")
    known = judged(
        (device(1, None, shared("10.0.0.5"), unset), ACTIVE),
        (device(2, None, shared("10.0.0.5")), ACTIVE),
    )
    assert named(known) == [[1, 2]]


def test_what_lasts_for_more_than_a_day_folds_by_its_kind() -> None:
    unset = Fault("password.unset", noon(), "no password", "test")
    known = judged(
        *[(device(id), OFFLINE) for id in (1, 2, 3)],
        *[(device(id, None, unset), ACTIVE) for id in (4, 5)],
        *[(device(id), UNREACHABLE) for id in (6, 7)],
        (device(8, noon(hours=20)), OFFLINE),
        later=25,
    )
    assert named(known) == [[8]]
    assert {key: known.devices(key) for key in known.folds} == {
        "lasting_offline": {1, 2, 3},
        "lasting_unreachable": {6, 7},
        "lasting_findings": {4, 5},
    }
    assert known.devices() == set(range(1, 9))


def test_missing_lasts_since_the_device_was_last_seen() -> None:
    known = judged(
        *[(replace(device(id), since=noon(hours=24)), MISSING) for id in (1, 2)], later=25
    )
    assert known.devices("lasting_missing") == {1, 2}


def test_one_alone_is_named_however_long_it_lasts() -> None:
    known = judged((device(1), OFFLINE), (device(2), MISSING), later=48)
    assert sorted(named(known)) == [[1], [2]]
    assert not known.folds


def test_devices_that_were_never_online_fold_at_once() -> None:
    never = [(replace(device(id), last_seen=None), OFFLINE) for id in (1, 2)]
    known = judged(*never, (device(3), OFFLINE))
    assert known.devices("never_online") == {1, 2}
    assert named(known) == [[3]]


def test_more_are_exactly_those_that_are_not_named() -> None:
    devices = [(device(id, noon(minutes=id)), OFFLINE) for id in range(1, 10)]
    known = judged(*devices)
    assert [concern.devices[0].id for concern in known.named] == [9, 8, 7, 6, 5]
    assert known.devices("more") == {1, 2, 3, 4}


def at_store(id: int, store: str, site: str, *faults: Fault, **more: Any) -> Device:
    made = device(id, None, *faults, facts={SOURCE: {"store": store}}, **more)
    return replace(made, site=site)


def places(known: Attention) -> list[tuple[str, str, set[int]]]:
    return [
        (concern.place.kind, concern.place.name, {device.id for device in concern.devices})
        for concern in known.recent
        if concern.place
    ]


def test_a_store_whose_devices_are_all_silent_is_one_concern() -> None:
    known = judged(
        (at_store(1, "Cork", "C-1"), OFFLINE),
        (at_store(2, "Cork", "C-1"), UNREACHABLE),
        (at_store(3, "Cork", "C-2"), OFFLINE),
        (replace(device(4), site="C-2"), OFFLINE),
        (at_store(5, "Bergen", "B-1"), OFFLINE),
        (at_store(6, "Bergen", "B-1"), ACTIVE),
        (replace(at_store(7, "Cork", "C-2"), retired_at=noon()), ACTIVE),
    )
    assert places(known) == [("store", "Cork", {1, 2, 3, 4})]
    assert known.devices() == {1, 2, 3, 4, 5}
    assert not known.devices(attention.MORE)


def test_a_site_whose_devices_are_all_silent_is_one_concern_in_a_store_that_answers() -> None:
    known = judged(
        (at_store(1, "Cork", "C-1"), OFFLINE),
        (at_store(2, "Cork", "C-1"), OFFLINE),
        (at_store(3, "Cork", "C-2"), ACTIVE),
        (at_store(4, "", "Gate"), OFFLINE),
        (at_store(5, "", "Gate"), MISSING),
    )
    assert places(known) == [("site", "C-1", {1, 2})]
    assert sorted(named(known)) == [[1, 2], [4], [5]]


def test_devices_without_a_site_or_alone_at_one_are_named_one_by_one() -> None:
    known = judged(
        (device(1), OFFLINE),
        (device(2), OFFLINE),
        (replace(device(3), site="Gate"), OFFLINE),
    )
    assert places(known) == []
    assert sorted(named(known)) == [[1], [2], [3]]


def channel(id: int, recorder: int, **more: Any) -> Device:
    return device(id, parents=(recorder,), **more, key=f"channel:mac:1/{id}")


def test_a_recorder_that_is_off_is_one_concern_with_its_channels() -> None:
    channels = [channel(id, 1) for id in (2, 3)]
    known = judged((device(1), OFFLINE), *((each, UNREACHABLE) for each in channels))
    assert (named(known), known.devices()) == ([[1, 2, 3]], {1, 2, 3})
    known = judged((device(1), OFFLINE), *((each, UNREACHABLE) for each in channels), later=48)
    assert (named(known), known.folds) == ([[1, 2, 3]], {}), "also when it lasts"


def test_a_channel_that_is_off_alone_is_a_concern_of_its_own() -> None:
    known = judged(
        (device(1), ACTIVE), (channel(2, 1), OFFLINE), (channel(3, 1), ACTIVE), (device(4), OFFLINE)
    )
    assert sorted(named(known)) == [[2], [4]]


def test_a_place_that_is_down_as_a_whole_includes_its_recorder_with_the_channels() -> None:
    place = {"site": "North"}
    every = [device(1, **place), channel(2, 1, **place), device(3, **place)]
    known = judged(*zip(every, (OFFLINE, UNREACHABLE, OFFLINE), strict=True))
    assert sorted(named(known)[0]) == [1, 2, 3]
    assert known.recent[0].place == attention.Place("site", "North")


def test_what_describes_a_device_and_calls_for_nothing_needs_no_attention() -> None:
    unproven = Fault("identity.unproven", noon(minutes=5), "nothing proves who it is", "rtsp")
    wrong = Fault("login.wrong", noon(), "wrong password", "rtsp")
    known = judged(
        (device(1, None, unproven), ACTIVE),
        (device(2, None, unproven, wrong), ACTIVE),
        (device(3, None, unproven), OFFLINE),
    )
    assert known.devices() == {2, 3}
    assert [concern.fault for concern in known.recent if concern.fault] == [wrong]
    busy = Fault("stream.busy", noon(minutes=5), "busy (RTSP 453)", "rtsp")
    assert judged((device(1, None, busy), ACTIVE)).devices() == set()


def test_a_channel_without_signal_is_not_said_to_have_a_wrong_path() -> None:
    dark = Fault("signal.none", noon(minutes=1), "no video signal", "onvif")
    path = Fault("stream.path", noon(minutes=2), "the path does not exist", "rtsp")
    login = Fault("login.wrong", noon(minutes=3), "wrong password", "rtsp")
    known = judged((device(1, None, dark, path), ACTIVE))
    assert [concern.fault for concern in known.recent] == [dark]
    known = judged((device(1, None, dark, path, login), ACTIVE))
    assert [concern.fault for concern in known.recent] == [login]
    known = judged((device(1, None, path), ACTIVE))
    assert [concern.fault for concern in known.recent] == [path]
