"""A browser without script: it reads a page as a tree, follows links and sends forms."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

VOID = {"meta", "link", "input", "br", "hr", "img", "col"}


@dataclass
class Element:
    """One element; `text` is everything written in it, blanks made single."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Element | str]" = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    @property
    def raw_text(self) -> str:
        parts = (child if isinstance(child, str) else child.raw_text for child in self.children)
        return "".join(parts)

    @property
    def text(self) -> str:
        return " ".join(self.raw_text.split())

    def all(self) -> "Iterator[Element]":
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.all()

    def find(self, tag: str, **attributes: str) -> "list[Element]":
        return [
            element
            for element in self.all()
            if element.tag == tag
            and all(element.attributes.get(name) == value for name, value in attributes.items())
        ]

    def find_one(self, tag: str, **attributes: str) -> "Element":
        matches = self.find(tag, **attributes)
        assert len(matches) == 1, f"{len(matches)} of <{tag} {attributes}>"
        return matches[0]

    def form(self, action: str) -> "Element":
        return self.find_one("form", action=action)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("page")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Element:
    """Parse the page into a tree. An element that is not closed as it was opened is an error."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is never closed"
    return reader.open[0]


def fields(form: Element, button: str = "") -> dict[str, Any]:
    """The fields that a browser sends when the button with this text is pressed; a list where
    several have one name."""
    sent: dict[str, Any] = {}
    for element in form.all():
        if element.get("type") in ("checkbox", "radio"):
            if "checked" in element.attributes:
                sent.setdefault(element["name"], []).append(element.get("value", "on"))
        elif element.tag == "input" and element.get("name"):
            sent[element["name"]] = element.get("value")
        elif element.tag == "textarea":
            sent[element["name"]] = element.raw_text
        elif element.tag == "button" and element.text == button and element.get("name"):
            sent[element["name"]] = element.get("value")
    return sent


@dataclass
class Browser:
    """A client that asks as a browser on this machine does."""

    client: FlaskClient

    def visit(self, path: str, status: int = 200) -> Element:
        answer = self.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
        assert answer.status_code == status, answer.text
        assert answer.mimetype == "text/html"
        return read(answer.text)

    def send(self, form: Element, button: str = "", **changes: Any) -> TestResponse:
        assert form["method"] == "post"
        headers = {
            "Accept": "text/html,*/*;q=0.8",
            "Origin": "http://localhost",
            "Sec-Fetch-Site": "same-origin",
        }
        sent = {**fields(form, button), **changes}
        return self.client.post(form["action"], data=sent, headers=headers)

    def press(self, form: Element, button: str = "", **changes: Any) -> Element:
        """Send a form and read the page that it leads to."""
        answer = self.send(form, button, **changes)
        assert answer.status_code == 303, answer.text
        return self.visit(answer.headers["Location"])
