"""What people may change, what is told of it, and what takes it back."""

from dataclasses import replace
from typing import Any

import pytest

from fleet import public
from fleet.edit.editing import inverse
from fleet.editable_fields import MAX_LENGTHS
from fleet.model import Event, Invalid, Refused
from tests.fleet.reports import A, B, C, Story, edit, missed, noon, seen


def story_with_a_camera() -> Story:
    story = Story()
    story.tell(seen(A, name="WV-1"))
    return story


def undo(story: Story, event: Event) -> list[str]:
    return story.tell(inverse(event, "tester", noon()))


# -- renaming and notes ----------------------------------------------------------------------


def test_a_new_name_is_told_with_the_old_one_and_who_gave_it() -> None:
    story = story_with_a_camera()
    assert story.tell(edit("change", "id:1", name="Gate")) == ["device.edited"]
    event = story.events[-1]
    assert event.text == "WV-1 renamed to Gate, by tester"
    assert (event.device, event.before, event.after) == (1, {"name": None}, {"name": "Gate"})
    assert story.device().name == "Gate"


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("tester", "WV-1: notes changed, tag door added, site changed to North, by tester"),
        ("local", "WV-1: notes changed, tag door added, site changed to North, on this server"),
        (
            "command line",
            "WV-1: notes changed, tag door added, site changed to North, on the command line",
        ),
    ],
)
def test_several_changes_are_one_sentence_that_says_who_made_them(by: str, text: str) -> None:
    story = story_with_a_camera()
    change = edit("change", "id:1", notes="ladder", tags=["door"], site="North")
    story.tell(replace(change, by=by))
    assert story.events[-1].text == text


def test_a_renamed_device_is_told_with_what_else_was_changed() -> None:
    story = story_with_a_camera()
    story.tell(edit("change", "id:1", name="Gate", tags=["door"], site="North"))
    assert story.events[-1].text == (
        "WV-1 renamed to Gate; tag door added, site changed to North, by tester"
    )
    story.tell(edit("change", "id:1", site="here"))
    assert story.events[-1].text == "Gate: site changed to (no site), by tester"


def test_a_device_is_named_by_its_number_or_by_its_mac() -> None:
    story = story_with_a_camera()
    story.tell(edit("change", A, name="Gate"))
    assert story.device().name == "Gate"


def test_a_persons_name_outlives_the_cameras_own_until_it_is_emptied() -> None:
    story = story_with_a_camera()
    story.tell(edit("change", "id:1", name="Gate"))
    story.tell(seen(A, name="WV-2", at=noon(minutes=1)))
    assert story.device().name == "Gate"
    for empty in ("", "  ", None):
        story.tell(edit("change", "id:1", name="Gate"))
        story.tell(edit("change", "id:1", name=empty))
        assert story.device().name is None
    assert story.events[-1].text == "Gate renamed to WV-2, by tester"


def test_notes_are_told_without_their_text_in_the_sentence() -> None:
    story = story_with_a_camera()
    story.tell(edit("change", "id:1", notes="ladder needed\nask Ann"))
    assert story.device().notes == "ladder needed\nask Ann"
    assert story.events[-1].text == "WV-1: notes changed, by tester"
    assert story.events[-1].after == {"notes": "ladder needed\nask Ann"}


def test_name_and_notes_at_once_are_one_event() -> None:
    story = story_with_a_camera()
    assert story.tell(edit("change", "id:1", name="Gate", notes="x")) == ["device.edited"]


@pytest.mark.parametrize(
    "fields", [{}, {"name": None}, {"notes": ""}, {"name": " \t", "notes": ""}]
)
def test_an_edit_that_changes_nothing_tells_nothing(fields: dict[str, Any]) -> None:
    story = story_with_a_camera()
    assert story.tell(edit("change", "id:1", **fields)) == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Gate  ", "Gate"),
        ("North\n  gate", "North gate"),
        ("Tor \x00\x1b[31m1", "Tor [31m1"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("\ud800Gate", "Gate"),
        ("<b>Gate</b>", "<b>Gate</b>"),
        ("Größe 門 📷", "Größe 門 📷"),
        ("x" * MAX_LENGTHS["name"], "x" * MAX_LENGTHS["name"]),
    ],
)
def test_a_name_is_kept_as_one_clean_line(typed: str, kept: str) -> None:
    story = story_with_a_camera()
    story.tell(edit("change", "id:1", name=typed))
    assert story.device().name == kept


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "x" * 121}, "name has 121 characters; at most 120 are allowed"),
        ({"notes": "x" * 5001}, "notes has 5001 characters; at most 5000 are allowed"),
        ({"name": 7}, "name must be text"),
        ({"notes": ["a"]}, "notes must be text"),
        ({"name": False}, "name must be text"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(fields: dict[str, Any], why: str) -> None:
    story = story_with_a_camera()
    with pytest.raises(Refused, match=why) as refused:
        story.tell(edit("change", "id:1", **fields))
    assert refused.value.hint
    assert story.device().name is None


@pytest.mark.parametrize("field", ["add_tags", "remove_tags"])
def test_tags_that_are_no_texts_are_refused_at_their_field(field: str) -> None:
    story = story_with_a_camera()
    with pytest.raises(Invalid, match="tags must be a list of texts") as refused:
        story.tell(edit("change", "id:1", **{field: [7]}))
    assert refused.value.field == field


def test_an_unknown_kind_of_edit_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be edited by 'explode'"):
        story_with_a_camera().tell(edit("explode", "id:1"))


# -- retiring --------------------------------------------------------------------------------


def test_retiring_and_restoring_are_told_once_each() -> None:
    story = story_with_a_camera()
    assert story.tell(edit("retire", "id:1", noon(minutes=1))) == ["device.retired"]
    assert story.device().retired_at == noon(minutes=1)
    assert story.tell(edit("retire", "id:1", noon(minutes=2))) == []
    assert story.device().retired_at == noon(minutes=1)
    assert story.tell(edit("restore", "id:1")) == ["device.restored"]
    assert story.device().retired_at is None
    assert story.tell(edit("restore", "id:1")) == []


def test_a_restored_device_stands_as_it_did() -> None:
    story = story_with_a_camera()
    story.tell(missed(A, noon(minutes=1)))
    story.tell(edit("retire", "id:1", noon(minutes=2)))
    assert story.tell(edit("restore", "id:1", noon(minutes=3))) == ["device.restored"]
    assert story.status(at=noon(minutes=3)) == "OFFLINE"


# -- undo ------------------------------------------------------------------------------------

EDITS = {
    "a name": edit("change", "id:1", name="Gate"),
    "notes": edit("change", "id:1", notes="ask Ann"),
    "both": edit("change", "id:1", name="Gate", notes="ask Ann"),
    "retiring": edit("retire", "id:1", noon(minutes=1)),
}


@pytest.mark.parametrize("what", EDITS)
def test_undo_takes_it_back_and_undoing_the_undo_does_it_again(what: str) -> None:
    story = story_with_a_camera()
    untouched = story.device()
    story.tell(EDITS[what])
    edited = story.device()
    undo(story, story.events[-1])
    assert story.device() == untouched
    undo(story, story.events[-1])
    assert story.device().name == edited.name
    assert story.device().notes == edited.notes
    assert (story.device().retired_at is None) == (edited.retired_at is None)


def test_undo_leaves_what_the_edit_did_not_touch() -> None:
    story = story_with_a_camera()
    story.tell(edit("change", "id:1", name="Gate"))
    renamed = story.events[-1]
    story.tell(edit("change", "id:1", notes="ask Ann"))
    undo(story, renamed)
    assert (story.device().name, story.device().notes) == (None, "ask Ann")


def test_undo_is_refused_when_somebody_changed_it_since() -> None:
    story = story_with_a_camera()
    story.tell(edit("change", "id:1", name="Gate"))
    first = story.events[-1]
    story.tell(edit("change", "id:1", name="North gate"))
    with pytest.raises(Refused, match="North gate has been changed since then") as refused:
        undo(story, first)
    assert "newer change" in refused.value.hint
    assert story.device().name == "North gate"


def test_the_same_undo_twice_is_refused() -> None:
    story = story_with_a_camera()
    story.tell(edit("retire", "id:1"))
    retired = story.events[-1]
    undo(story, retired)
    with pytest.raises(Refused, match="changed since then"):
        undo(story, retired)


def test_only_edits_can_be_undone() -> None:
    story = story_with_a_camera()
    story.tell(missed(A, noon(minutes=1)))
    story.tell(edit("retire", "id:1", noon(minutes=2)))
    story.tell(seen(A, name="WV-1", at=noon(minutes=3)))
    for event in story.events:
        if event.kind in ("device.found", "device.offline", "device.restored"):
            with pytest.raises(Refused, match=f"Event {event.sequence} is not an edit"):
                inverse(event, "tester", noon())


def test_an_undo_follows_a_device_that_became_part_of_another() -> None:
    story = Story()
    story.tell(seen(A), seen("onvif:1", source="onvif"))
    story.tell(edit("change", "id:2", notes="by the door"))
    noted = story.events[-1]
    story.tell(seen(A, "onvif:1", source="onvif"))
    assert undo(story, noted) == ["device.edited"]
    assert story.device(1).notes == ""


# -- what is longer than a person may type -----------------------------------------------------


def story_with_long_notes() -> Story:
    """Two cameras became one, with the notes and tags of both."""
    story = Story()
    story.tell(seen(A, name="WV-1"), seen(B, address="10.0.0.2"))
    for number in (1, 2):
        tags = [f"{number}-{index}" for index in range(15)]
        notes = f"{number}" * 3000
        story.tell(edit("change", f"id:{number}", notes=notes, tags=tags))
    story.tell(edit("merge", "id:1", **{"with": 2}))
    return story


def test_a_form_that_sends_long_notes_and_many_tags_back_saves_the_name() -> None:
    story = story_with_long_notes()
    before = story.device()
    assert (len(before.notes), len(before.tags)) == (6001, 30)
    sent = {"notes": before.notes.replace("\n", "\r\n"), "tags": list(before.tags)}
    assert story.tell(edit("change", "id:1", name="Gate", **sent)) == ["device.edited"]
    assert (story.device().notes, story.device().tags) == (before.notes, before.tags)
    with pytest.raises(Refused, match="6002 characters; at most 5000 are allowed"):
        story.tell(edit("change", "id:1", notes=before.notes + "!"))


def test_undo_brings_long_notes_and_many_tags_back() -> None:
    story = story_with_long_notes()
    before = story.device()
    story.tell(edit("change", "id:1", notes="short", tags=["one"]))
    undo(story, story.events[-1])
    assert (story.device().notes, story.device().tags) == (before.notes, before.tags)


# -- how it is reached, and through what ---------------------------------------------------------

WAY = {"source": "rtsp", "host": "10.0.0.5", "port": 554, "path": "/live"}
SEALED = {"id": "s1", "sealed": "v1:sealed-one"}


def story_with_a_listed_camera(**fields: Any) -> Story:
    story = Story()
    story.tell(edit("add", "", name="Gate", **{**WAY, **fields}))
    return story


def test_the_access_of_a_device_is_changed_with_its_name_in_one_event() -> None:
    story = story_with_a_listed_camera(interval=60)
    assert story.tell(edit("change", "id:1", name="Lobby", interval=600)) == ["device.edited"]
    event = story.events[-1]
    assert event.text == ("Gate renamed to Lobby; interval for RTSP changed, by tester")
    assert event.before == {"name": "Gate", "source": "rtsp", "interval": 60}
    assert event.after == {"name": "Lobby", "source": "rtsp", "interval": 600}
    assert story.device().access["rtsp"].interval == 600


def test_another_place_is_another_key() -> None:
    story = story_with_a_listed_camera()
    story.tell(edit("change", "id:1", port=8554, path="/sub"))
    assert story.device().identities == ("rtsp:10.0.0.5:8554/sub",)
    assert story.events[-1].text == "Gate: port and path for RTSP changed, by tester"
    undo(story, story.events[-1])
    assert story.device().identities == ("rtsp:10.0.0.5:554/live",)
    assert story.device().access["rtsp"].port == 554


def test_a_new_password_is_told_by_its_id_and_undone() -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    story.tell(edit("change", "id:1", secret={"id": "s2", "sealed": "v1:sealed-two"}))
    assert story.events[-1].text == "Gate: password for RTSP changed, by tester"
    assert story.device().access["rtsp"].secret == "s2"
    undo(story, story.events[-1])
    assert story.device().access["rtsp"].secret == "s1"
    assert "sealed-" not in repr(story.events)


def test_a_stored_password_is_not_sent_to_another_address() -> None:
    story = story_with_a_listed_camera(secret=SEALED, tls_pin="ab" * 32)
    with pytest.raises(Invalid, match=r"saved for 10\.0\.0\.5:554/live") as refused:
        story.tell(edit("change", "id:1", host="203.0.113.7"))
    assert refused.value.field == "secret"
    new = {"id": "s2", "sealed": "v1:sealed-two"}
    story.tell(edit("change", "id:1", host="10.0.0.6", secret=new))
    access = story.device().access["rtsp"]
    assert (access.host, access.secret, access.tls_pin) == ("10.0.0.6", "s2", None)
    undo(story, story.events[-1])
    access = story.device().access["rtsp"]
    assert (access.host, access.secret, access.tls_pin) == ("10.0.0.5", "s1", "ab" * 32)


COMMUNITY = {"community": {"id": "s2", "sealed": "v1:sealed-two"}}


def test_a_secret_option_is_stored_like_the_password_and_undone() -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    story.tell(edit("change", "id:1", secret_options=COMMUNITY))
    event = story.events[-1]
    assert event.text == "Gate: secret options for RTSP changed, by tester"
    assert story.device().access["rtsp"].secret_options == {"community": "s2"}
    assert story.fleet.secrets["s2"].sealed == "v1:sealed-two"
    assert "sealed-" not in repr(story.events)
    shown = public.of_event(event.after)
    assert shown == {"source": "rtsp", "host": "10.0.0.5", "port": 554, "has_password": True}
    more = {"privacy": {"id": "s3", "sealed": "v1:sealed-three"}, "community": "s2"}
    story.tell(edit("change", "id:1", secret_options=more))
    assert story.device().access["rtsp"].secret_options == {"privacy": "s3", "community": "s2"}
    undo(story, story.events[-1])
    assert story.device().access["rtsp"].secret_options == {"community": "s2"}
    undo(story, event)
    access = story.device().access["rtsp"]
    assert (access.secret, access.secret_options) == ("s1", {})


def test_a_secret_option_is_not_sent_to_another_address_or_port() -> None:
    story = story_with_a_listed_camera(secret_options=COMMUNITY)
    for place in ({"host": "203.0.113.7"}, {"port": 8554}):
        for given in ({}, {"secret_options": {"community": "s2"}}):
            with pytest.raises(Invalid, match=r"options were saved for 10\.0\.0\.5") as refused:
                story.tell(edit("change", "id:1", **place, **given))
            assert refused.value.field == "secret_options"
    new = {"community": {"id": "s3", "sealed": "v1:sealed-three"}}
    story.tell(edit("change", "id:1", host="203.0.113.7", secret_options=new))
    assert story.device().access["rtsp"].secret_options == {"community": "s3"}


@pytest.mark.parametrize(
    "given",
    [
        "community",
        {"Community": {"id": "s9", "sealed": "v1:x"}},
        {"community": "plain text"},
        {"community": "s1"},
        {"other": "s2"},
        {f"name_{number}": "x" for number in range(33)},
    ],
)
def test_only_sealed_texts_and_own_ids_are_secret_options(given: Any) -> None:
    story = story_with_a_listed_camera(secret=SEALED, secret_options=COMMUNITY)
    before = story.fleet
    with pytest.raises(Invalid) as refused:
        story.tell(edit("change", "id:1", secret_options=given))
    assert refused.value.field == "secret_options"
    assert story.fleet == before


def test_a_secret_beside_one_that_stays_is_sent_only_where_that_one_may() -> None:
    story = Story()
    story.tell(seen(A, address="10.0.0.1"))
    story.tell(edit("link", "id:1", source="snmp", secret=SEALED))
    story.tell(seen(A, address="203.0.113.7", at=noon(minutes=1)))
    story.tell(edit("change", "id:1", secret_options=COMMUNITY))
    assert story.device().address == "203.0.113.7"
    assert story.device().access["snmp"].secret_host == "10.0.0.1"
    new = {"id": "s4", "sealed": "v1:sealed-four"}
    story.tell(edit("change", "id:1", secret=new, secret_options=None))
    assert story.device().access["snmp"].secret_host == "203.0.113.7"


@pytest.mark.parametrize("port", [8554, None])
def test_a_stored_password_is_not_sent_to_another_port(port: int | None) -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    for kind in ("change", "link"):
        with pytest.raises(Invalid, match="Enter it again|saved for 10") as refused:
            story.tell(edit(kind, "id:1", source="rtsp", port=port))
        assert refused.value.field == "secret"
    new = {"id": "s2", "sealed": "v1:sealed-two"}
    story.tell(edit("change", "id:1", port=port, secret=new))
    access = story.device().access["rtsp"]
    assert (access.host, access.port, access.secret) == ("10.0.0.5", port, "s2")
    undo(story, story.events[-1])
    assert (story.device().access["rtsp"].port, story.device().access["rtsp"].secret) == (554, "s1")


def test_no_undo_sends_a_removed_password_to_the_port_that_came_since() -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    story.tell(edit("change", "id:1", secret=None))
    removed = story.events[-1]
    story.tell(edit("change", "id:1", port=8554))
    with pytest.raises(Refused, match="changed since then"):
        undo(story, removed)
    undo(story, story.events[-1])
    undo(story, removed)
    assert story.device().access["rtsp"].secret == "s1"


NAMED_BY_ID = {
    "another address of the device": edit("change", "id:1", host="203.0.113.7", secret="s1"),
    "a link to another address": edit("link", "id:1", **{**WAY, "host": "a.example"}, secret="s1"),
    "a link that says what it expects": edit(
        *("link", "id:1"), source="rtsp", host="a.example", secret="s1", expect={"host": "10.0.0.5"}
    ),
    "another port of its host": edit("change", "id:1", port=8554, secret="s1"),
    "a link to another port": edit("link", "id:1", **{**WAY, "port": 8554}, secret="s1"),
    "another source of its device": edit("link", "id:1", source="onvif", secret="s1"),
    "another source at its place": edit("link", "id:1", **{**WAY, "source": "onvif"}, secret="s1"),
    "another device": edit("change", "id:2", secret="s1"),
    "another device, by a link": edit("link", "id:2", source="onvif", secret="s1"),
    "another device, as if it were undone": edit(
        "change", "id:2", secret="s1", expect={"host": "10.0.0.6"}
    ),
    "a new device": edit("add", "", source="rtsp", host="10.0.0.7", secret="s1"),
}


@pytest.mark.parametrize("what", NAMED_BY_ID)
def test_nobody_points_a_stored_password_elsewhere_by_its_id(what: str) -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    story.tell(edit("add", "", name="Yard", **{**WAY, "host": "10.0.0.6"}))
    before = story.fleet
    with pytest.raises(Invalid) as refused:
        story.tell(NAMED_BY_ID[what])
    assert refused.value.field == "secret"
    assert story.fleet == before


def test_a_password_that_is_sent_back_by_its_id_stays() -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    assert story.tell(edit("change", "id:1", secret="s1", interval=60)) == ["device.edited"]
    assert story.device().access["rtsp"].secret == "s1"


def test_no_undo_sends_a_removed_password_to_the_address_that_came_since() -> None:
    story = story_with_a_listed_camera(secret=SEALED)
    story.tell(edit("change", "id:1", secret=None))
    removed = story.events[-1]
    story.tell(edit("change", "id:1", host="203.0.113.7"))
    with pytest.raises(Refused, match="changed since then"):
        undo(story, removed)
    undo(story, story.events[-1])
    undo(story, removed)
    access = story.device().access["rtsp"]
    assert (access.host, access.secret) == ("10.0.0.5", "s1")


def test_the_login_method_that_was_learned_is_forgotten_with_the_login() -> None:
    story = story_with_a_listed_camera(username="admin")
    device = story.device()
    learned = replace(device.access["rtsp"], method="digest")
    story = Story(replace(device, access={"rtsp": learned}))
    story.tell(edit("change", "id:1", interval=30))
    assert story.device().access["rtsp"].method == "digest"
    story.tell(edit("change", "id:1", username="root"))
    assert story.device().access["rtsp"].method == ""


def test_of_several_ways_the_one_that_is_meant_must_be_named() -> None:
    story = story_with_a_listed_camera()
    story.tell(edit("link", "id:1", source="onvif", username="admin"))
    with pytest.raises(Invalid, match="source is missing") as refused:
        story.tell(edit("change", "id:1", interval=30))
    assert refused.value.field == "source"
    story.tell(edit("change", "id:1", source="onvif", interval=30))
    assert story.device().access["onvif"].interval == 30
    with pytest.raises(Refused, match="Gate has no SNMP connection"):
        story.tell(edit("change", "id:1", source="snmp", interval=30))


def test_a_place_that_another_device_has_is_refused_by_name() -> None:
    story = story_with_a_listed_camera()
    story.tell(edit("add", "", name="Yard", **{**WAY, "host": "10.0.0.6"}))
    with pytest.raises(Refused, match=r"^Yard already uses rtsp:10\.0\.0\.6"):
        story.tell(edit("change", "id:1", host="10.0.0.6"))
    assert story.device(1).access["rtsp"].host == "10.0.0.5"


def test_undo_of_an_access_is_refused_when_it_was_changed_or_unlinked_since() -> None:
    story = story_with_a_listed_camera()
    story.tell(edit("link", "id:1", source="onvif", username="admin"))
    linked = story.events[-1]
    story.tell(edit("change", "id:1", source="onvif", interval=30))
    first = story.events[-1]
    story.tell(edit("change", "id:1", source="onvif", interval=60))
    with pytest.raises(Refused, match="changed since then"):
        undo(story, first)
    undo(story, story.events[-1])
    undo(story, first)
    undo(story, linked)
    with pytest.raises(Refused, match="changed since then"):
        undo(story, first)


def test_several_parents_are_set_told_and_taken_back() -> None:
    story = Story()
    story.tell(seen(A, name="WV-1"), seen(B, name="East"), seen(C, name="West"))
    story.tell(edit("change", "id:1", parents=[2, 3, 2]))
    assert story.device().parents == (2, 3)
    event = story.events[-1]
    assert event.text == "WV-1: connected through East and West, by tester"
    assert (event.before, event.after) == ({"parents": []}, {"parents": [2, 3]})
    undo(story, event)
    assert story.device().parents == ()


def test_one_parent_takes_the_place_of_several_and_undo_brings_them_all_back() -> None:
    story = Story()
    story.tell(seen(A, name="WV-1"), seen(B, name="East"), seen(C, name="West"))
    story.tell(edit("change", "id:1", parents=[2, 3]))
    story.tell(edit("change", "id:1", parent=3))
    assert story.device().parents == (3,)
    undo(story, story.events[-1])
    assert story.device().parents == (2, 3)
    story.tell(edit("change", "id:1", parent=None))
    assert story.device().parents == ()


@pytest.mark.parametrize(
    "fields", [{"parent": 2}, {"parents": [2, 3]}, {"parent": 2, "parents": [2, 3]}]
)
def test_parents_that_are_sent_back_as_they_are_stay(fields: dict[str, Any]) -> None:
    story = Story()
    story.tell(seen(A, name="WV-1"), seen(B, name="East"), seen(C, name="West"))
    story.tell(edit("change", "id:1", parents=[2, 3]))
    assert story.tell(edit("change", "id:1", **fields)) == []
    assert story.tell(edit("change", "id:1", name="Gate", **fields)) == ["device.edited"]
    assert story.events[-1].after == {"name": "Gate"}
    assert story.device().parents == (2, 3)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"parents": 2}, "list of up to 8 device numbers"),
        ({"parents": "2"}, "list of up to 8 device numbers"),
        ({"parents": [2] * 9}, "up to 8 device numbers"),
        ({"parents": [99]}, "device 99 does not exist"),
        ({"parents": ["2"]}, "device 2 does not exist"),
        ({"parents": [True]}, "device True does not exist"),
        ({"parents": ["x" * 9000]}, "device x+ does not exist"),
        ({"parents": [1]}, "is itself connected through"),
        ({"parents": [2, 3]}, "West is itself connected through WV-1"),
        ({"parents": [2], "parent": None}, "name different devices"),
    ],
)
def test_parents_that_do_not_fit_are_refused(fields: dict[str, Any], why: str) -> None:
    story = Story()
    story.tell(seen(A, name="WV-1"), seen(B, name="East"), seen(C, name="West"))
    story.tell(edit("change", "id:3", parent=1))
    with pytest.raises(Invalid, match=why) as refused:
        story.tell(edit("change", "id:1", **fields))
    assert refused.value.field == "parents"
    assert len(refused.value.error) < 200
    assert story.device().parents == ()
