"""What the events of ONVIF devices say, in the spellings of their makers."""

import pytest

from simulators.onvif_device import EventState
from simulators.onvif_events import message
from sources import soap, xml_tree
from sources.onvif_notifications import (
    BLURRED,
    DARK,
    MAX_NOTIFICATIONS,
    SIGNAL,
    STORAGE,
    TAMPER,
    Notification,
    kind_of,
    notifications,
)

HEAD = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="t" xmlns:wsnt="w" '
    'xmlns:tev="e"><s:Body><tev:PullMessagesResponse>'
)
TAIL = "</tev:PullMessagesResponse></s:Body></s:Envelope>"


def read(*messages: str) -> tuple[Notification, ...]:
    return notifications(soap.read(200, (HEAD + "".join(messages) + TAIL).encode()).body)


def one_of(topic: str, data: dict[str, str], operation: str = "Changed") -> Notification:
    (notification,) = read(message(EventState(topic, {"Source": "V1"}, data), operation))
    return notification


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("tns1:RuleEngine/TamperDetector/Tamper", TAMPER),
        ("tns1:RuleEngine/tns1:TamperDetector/tns1:Tamper", TAMPER),
        ("RuleEngine/TamperDetector/Tamper//.", TAMPER),
        ("tns1:VideoSource/tnsaxis:Tampering", TAMPER),
        ("tns1:VideoAnalytics/tnssamsung:TamperDetection", TAMPER),
        ("tns1:VideoSource/GlobalSceneChange/AnalyticsService", TAMPER),
        ("tns1:VideoSource/GlobalSceneChange/ImagingService", TAMPER),
        ("tns1:VideoSource/GlobalSceneChange/ImageTooBlurry", BLURRED),
        ("tns1:VideoSource/ImageTooBlurry/RecordingService", BLURRED),
        ("tns1:VideoAnalytics/tnssamsung:DefocusDetection", BLURRED),
        ("tns1:VideoSource/ImageTooDark/ImagingService", DARK),
        ("tns1:VideoSource/SignalLoss", SIGNAL),
        ("tns1:VideoSource/tns1:SignalLoss", SIGNAL),
        ("tns1:MediaControl/VideoLoss", SIGNAL),
        ("tns1:Device/HardwareFailure/StorageFailure", STORAGE),
        ("tns1:Device/tnsaxis:HardwareFailure/tnsaxis:StorageFailure", STORAGE),
        ("tnsaxis:Storage/Disruption", STORAGE),
        ("tns1:VideoSource/MotionAlarm", ""),
        ("tns1:RuleEngine/CellMotionDetector/Motion", ""),
        ("tns1:Device/tnsaxis:IO/Tampering", ""),
        ("tns1:Device/Trigger/DigitalInput", ""),
        ("tns1:VideoSource/ImageTooBright/ImagingService", ""),
        ("", ""),
    ],
)
def test_a_topic_is_known_by_its_parts_in_any_spelling(topic: str, kind: str) -> None:
    assert kind_of(topic) == kind


@pytest.mark.parametrize(
    ("data", "is_so"),
    [
        ({"IsTamper": "true"}, True),
        ({"IsTamper": "0"}, False),
        ({"State": " TRUE "}, True),
        ({"Failed": "false"}, False),
        ({"State": "inactive", "Audio": "true"}, False),
        ({"Motion": "1"}, True),
        ({"Level": "87", "State": "1"}, True),
    ],
)
def test_the_state_is_the_item_that_says_yes_or_no(data: dict[str, str], is_so: bool) -> None:
    known = one_of("tns1:RuleEngine/TamperDetector/Tamper", data)
    assert (known.kind, known.sources, known.is_so) == (TAMPER, ("V1",), is_so)
    assert not known.is_momentary


def test_an_event_without_an_end_is_momentary_and_a_deleted_one_is_over() -> None:
    assert one_of("tns1:VideoSource/tnsaxis:Tampering", {"tampering": "1"}, "").is_momentary
    assert one_of("tns1:VideoSource/SignalLoss", {}).is_momentary
    deleted = one_of("tns1:VideoSource/SignalLoss", {"State": "true"}, "Deleted")
    assert (deleted.is_so, deleted.is_momentary) == (False, False)


def test_a_card_that_was_never_inserted_is_no_failure() -> None:
    topic = "tns1:Device/tnsaxis:HardwareFailure/tnsaxis:StorageFailure"
    missing = one_of(topic, {"disruption": "1"}, "Initialized")
    assert (missing.needs_change, missing.is_first) == (True, True)
    assert not one_of("tns1:Device/HardwareFailure/StorageFailure", {"Failed": "1"}).needs_change


@pytest.mark.parametrize(
    "junk",
    [
        "<wsnt:NotificationMessage/>",
        "<wsnt:NotificationMessage><wsnt:Message></wsnt:Message></wsnt:NotificationMessage>",
        "<wsnt:NotificationMessage><wsnt:Topic/></wsnt:NotificationMessage>",
        "text",
        "<NotificationMessage>text</NotificationMessage>",
    ],
)
def test_a_message_that_says_nothing_is_left_out_and_spoils_no_other(junk: str) -> None:
    dark = message(EventState("tns1:VideoSource/ImageTooDark", {}, {"State": "true"}), "Changed")
    assert [known.kind for known in read(junk, dark)] == [DARK]


def test_a_topic_alone_says_that_it_happens() -> None:
    topic = "<wsnt:Topic>tns1:VideoSource/SignalLoss</wsnt:Topic>"
    (known,) = read(f"<wsnt:NotificationMessage>{topic}</wsnt:NotificationMessage>")
    assert (known.is_so, known.is_momentary, known.sources) == (True, True, ())


def test_messages_and_their_tokens_are_bounded() -> None:
    source = {f"S{number}": "x" * 1000 for number in range(20)}
    dark = message(EventState("tns1:VideoSource/ImageTooDark", source, {"State": "1"}), "Changed")
    known = read(dark)[0]
    assert (len(known.sources), len(known.sources[0])) == (4, 128)
    small = message(EventState("tns1:VideoSource/ImageTooDark", {}, {"State": "1"}), "Changed")
    assert len(read(*[small] * (MAX_NOTIFICATIONS + 50))) == MAX_NOTIFICATIONS
    assert notifications(None) == ()
    with pytest.raises(xml_tree.TooLarge):
        xml_tree.parse((HEAD + small * 5000 + TAIL).encode())
