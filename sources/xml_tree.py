"""XML of devices as a tree of local names. Pure, no I/O.

Everything in it is hostile: a document type (and with it every entity) is refused, and size and
depth are bounded. What devices write wrongly and a person would still read is repaired: bytes that
are not UTF-8, control characters, an ampersand that is not escaped, junk around the document.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

Tree = dict[str, Any]
"""Element and attribute (`@name`) by local name: None, text, another tree, or a list of these."""
LARGEST = 512 * 1024
"""Bytes of a document."""
DEEPEST = 40
MOST = 20_000
"""Elements and attributes of a document. Reading as many takes some 25 ms, and all devices wait."""
_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))
_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")


class NotXml(Exception):
    """The bytes are no document that is read; the text says why."""


class TooLarge(NotXml):
    """Likewise; repairing it would not help."""


def parse(data: bytes) -> Tree:
    """The document as a tree with its root element as only key. Raises NotXml."""
    if len(data) > LARGEST:
        raise TooLarge("response too large")
    text = _decoded(data).translate(_CONTROL)
    if "<!DOCTYPE" in text.upper():
        raise NotXml("HTML page" if "<HTML" in text.upper() else "document type in the response")
    text = text[text.find("<") : text.rfind(">") + 1] if "<" in text else ""
    try:
        return _tree(text)
    except TooLarge:
        raise
    except NotXml:
        repaired = _AMPERSAND.sub("&amp;", text)
        if repaired == text:
            raise
        return _tree(repaired)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _tree(text: str) -> Tree:
    from xml.parsers.expat import ExpatError

    import xmltodict

    try:
        tree = xmltodict.parse(text, postprocessor=_local_names())
    except (ExpatError, ValueError) as error:
        raise NotXml("malformed XML") from error
    if not isinstance(tree, dict):
        raise NotXml("malformed XML")
    return tree


def _local_names() -> Callable[[list[Any], str, Any], tuple[str, Any]]:
    """Names without their prefixes, for one document. Raises ValueError below DEEPEST, and TooLarge
    after MOST."""
    numbers = count()

    def local(path: list[Any], key: str, value: Any) -> tuple[str, Any]:
        if len(path) > DEEPEST:
            raise ValueError("too deep")
        if next(numbers) >= MOST:
            raise TooLarge("too many elements")
        mark = "@" if key.startswith("@") else ""
        return mark + key.removeprefix("@").rpartition(":")[2], value

    return local


def nodes(tree: Any, *names: str) -> list[Any]:
    """Every element at this path, which begins below `tree` or each of its items; an element may
    be repeated anywhere in it."""
    level = tree if isinstance(tree, list) else [tree]
    for name in names:
        below = [node.get(name) for node in level if isinstance(node, dict) and name in node]
        level = [
            item for value in below for item in (value if isinstance(value, list) else [value])
        ]
    return level


def text(tree: Any, *names: str) -> str:
    """The text of the first element at this path that has some; empty without one."""
    for node in nodes(tree, *names):
        value = node.get("#text") if isinstance(node, dict) else node
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def descendants(tree: Any, name: str) -> Iterator[Any]:
    """Every element of this name below `tree`, wherever it is."""
    waiting = deque([tree])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            yield from nodes(node, name)
            waiting += [value for key, value in node.items() if key != name]
