"""What the events of an ONVIF device say about it: tampering, a dark or blurred picture, a lost
signal, a failed storage. Pure, no I/O.

ONVIF Core Specification, chapter 9, Imaging Service Specification, and the topics of makers: each
part of a topic may have a prefix or none, and a maker adds parts or writes them in another way. No
text of the device is kept but the tokens of its sources, which are compared and never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sources import xml_tree

TAMPER, DARK, BLURRED = "camera.tamper", "camera.dark", "camera.blurred"
SIGNAL, STORAGE = "camera.signal", "camera.storage"
TEXTS: Mapping[str, str] = {
    TAMPER: "it reports tampering: it was covered, turned, or its scene changed",
    DARK: "it reports that its picture is too dark",
    BLURRED: "it reports that its picture is blurred",
    SIGNAL: "it reports that its video signal is lost",
    STORAGE: "it reports that its storage failed",
}
"""The findings that its events raise, with their texts."""
MAX_NOTIFICATIONS = 256
MAX_SOURCES, LONGEST_TOKEN = 4, 128
_PARTS = (
    (BLURRED, ("imagetooblurry", "defocus", "blurry")),
    (DARK, ("imagetoodark",)),
    (SIGNAL, ("signalloss", "videoloss", "videolost", "lossofsignal")),
    (STORAGE, ("storagefailure", "diskfailure", "diskerror", "hdderror", "storage/disruption")),
    (TAMPER, ("tamper", "globalscenechange", "scenechange", "videoblind", "shelteralarm")),
)
"""What a topic contains, in lower case and without prefixes, the first that fits: some devices
report a blurred picture below the topic of a changed scene."""
_OF_WIRES = ("io", "trigger")
"""Parts of topics about inputs and outputs, whose wires can be tampered with, too."""
_NAMES = ("state", "istamper", "failed", "tampering", "disruption", "lost", "value", "active")
"""The items that say whether it is so, the best first; else any that says yes or no."""
_CHANGES_ONLY = "disruption"
"""The item of a storage that is disrupted also where no card was ever inserted (Axis)."""
_MOMENTARY = "videosource/tampering"
"""A topic of which devices never tell the end (Axis)."""
_YES, _NO = ("true", "1", "on", "active", "yes"), ("false", "0", "off", "inactive", "no")


@dataclass(frozen=True, slots=True)
class Notification:
    """What the device says: `kind` is one of TEXTS, `sources` the tokens of what it is about.

    `is_momentary`: the device never says that it has ended. `is_first`: it says how it is, not that
    it changed. `needs_change`: that alone proves nothing, as it can have been so always.
    """

    kind: str
    sources: tuple[str, ...]
    is_so: bool
    is_momentary: bool = False
    is_first: bool = False
    needs_change: bool = False


def notifications(body: Any) -> tuple[Notification, ...]:
    """Those of a PullMessagesResponse that raise or end a finding, in their order. Never raises:
    what cannot be read is left out."""
    messages = list(xml_tree.descendants(body, "NotificationMessage"))[:MAX_NOTIFICATIONS]
    return tuple(known for message in messages if (known := _notification(message)) is not None)


def count(body: Any) -> int:
    """The number of all messages, also those about other things."""
    return sum(1 for _message in xml_tree.descendants(body, "NotificationMessage"))


def kind_of(topic: str) -> str:
    """The finding that a topic is about; empty for any other."""
    path = _path(topic)
    if not set(path.split("/")).isdisjoint(_OF_WIRES):
        return ""
    fitting = (kind for kind, parts in _PARTS if any(part in path for part in parts))
    return next(fitting, "")


def _path(topic: str) -> str:
    parts = topic[:512].strip().lower().split("/")
    return "/".join(part.rpartition(":")[2] for part in parts)


def _notification(node: Any) -> Notification | None:
    topic = xml_tree.text(node, "Topic")
    kind = kind_of(topic)
    if not kind:
        return None
    message = next((each for each in xml_tree.nodes(node, "Message", "Message") if each), None)
    operation = message.get("@PropertyOperation") if isinstance(message, dict) else None
    sources = tuple(_items(message, "Source").values())[:MAX_SOURCES]
    name, is_so = _state(_items(message, "Data"))
    is_momentary = is_so is None or _path(topic) == _MOMENTARY
    if operation == "Deleted":
        return Notification(kind, sources, is_so=False)
    return Notification(
        kind,
        sources,
        is_so is not False,
        is_momentary,
        operation == "Initialized",
        name == _CHANGES_ONLY,
    )


def _items(message: Any, group: str) -> dict[str, str]:
    """The simple items of the group, by their names in lower case."""
    items = dict[str, str]()
    for item in xml_tree.nodes(message, group, "SimpleItem"):
        name, value = (
            (item.get("@Name"), item.get("@Value")) if isinstance(item, dict) else (None, None)
        )
        if isinstance(name, str) and isinstance(value, str):
            items.setdefault(name.lower()[:LONGEST_TOKEN], value[:LONGEST_TOKEN])
    return items


def _state(items: Mapping[str, str]) -> tuple[str, bool | None]:
    """The item that says whether it is so, and what it says; None where none does."""
    named = [name for name in _NAMES if name in items]
    for name in [*named, *(name for name in items if name not in named)]:
        value = items[name].strip().lower()
        if value in _YES or value in _NO:
            return name, value in _YES
    return "", None
