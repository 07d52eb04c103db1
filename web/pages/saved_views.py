"""Saved views: filters of the list that a person gave a name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, redirect, render_template, request

from fleet.model import Invalid, NotFound, Refused
from fleet.natural_order import natural_key
from fleet.texts import sentences
from web.http.authorization import needs
from web.http.errors import HttpError, status_of
from web.http.monitor import current_monitor
from web.http.visible_fleet import current_person
from web.pages import filter_titles
from web.pages.fleet_view import Links, page_query

bp = Blueprint("saved_views_pages", __name__)
PREFERENCE = "views"
MAX_VIEWS = 50
LONGEST_NAME = 80
LONGEST_QUERY = 2000


@dataclass(frozen=True, slots=True)
class SavedView:
    """A name, and the filter as the query string of the list."""

    name: str
    query: str

    @property
    def url(self) -> str:
        return f"/?{self.query}"


def saved_views() -> list[SavedView]:
    """The views of the person of the request, by name; what is not a view is left out."""
    return _views_in(current_monitor().preferences.of(_user(), PREFERENCE))


def _views_in(value: Any) -> list[SavedView]:
    rows = value if isinstance(value, list) else []
    views = [
        SavedView(row["name"], canonical(row["query"]))
        for row in rows
        if isinstance(row, Mapping)
        and isinstance(row.get("name"), str)
        and isinstance(row.get("query"), str)
    ]
    return sorted(views, key=lambda view: natural_key(view.name))


def _change(make: Callable[[list[SavedView]], Sequence[SavedView]]) -> None:
    """Save the views that `make` returns for those that there are; nobody writes in between."""

    def changed(value: Any) -> Any:
        views = make(_views_in(value))
        return [{"name": view.name, "query": view.query} for view in views] or None

    current_monitor().preferences.change(_user(), PREFERENCE, changed)


def _user() -> int | None:
    person = current_person()
    return person.user if person else None


def canonical(query: str) -> str:
    """The query string with the filter alone, and only with what has a value."""
    kept = Links(dict(parse_qsl(query.lstrip("?")))).kept
    return urlencode({key: value for key, value in kept.items() if value and key != "per_page"})


def described(query: str) -> str:
    """The filter in words, such as `“gate”, status Offline, sorted by Name.`"""
    parts = filter_titles.described(page_query(dict(parse_qsl(query))))
    text = ", ".join(part.text for part in parts) or "the whole list"
    return f"{text[:1].upper()}{text[1:]}."


@bp.get("/views")
@needs("device.list")
def index() -> str:
    """The saved views, and the form that saves the current filter."""
    deleted, query = request.args.get("deleted", "")[:LONGEST_NAME], request.args.get("was", "")
    undo = SavedView(deleted, canonical(query)) if deleted and query and _is_own_link() else None
    return _page(canonical(request.query_string.decode(errors="replace")), deleted=undo)


def _is_own_link() -> bool:
    """False for a link from elsewhere, which could claim that a view was deleted."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"


def _page(current: str, **more: Any) -> str:
    return render_template(
        "views.html",
        views=saved_views(),
        current=current,
        description=described(current),
        longest=LONGEST_NAME,
        link=Links(dict(parse_qsl(current))),
        **more,
    )


@bp.post("/views")
@needs("account.change")
def change() -> Any:
    """Save the current filter as a view; rename or delete a view."""
    form = request.form
    name, new_name = _clean(form.get("name", "")), _clean(form.get("new_name", ""))
    current = canonical(form.get("current", ""))
    try:
        match form.get("do"):
            case "save":
                save(name, canonical(form.get("query", "")))
            case "rename":
                rename(name, new_name)
            case "delete":
                return _deleted(delete(name), current)
            case _:
                raise HttpError(422, "The form cannot do this", "Use one of its buttons.")
    except Refused as error:
        typed, of = (new_name, name) if form.get("do") == "rename" else (name, "")
        text, is_gone = sentences(error.error, error.hint), isinstance(error, NotFound)
        fault = {"name": of, "typed": typed, "text": text, "is_gone": is_gone}
        return Response(_page(current, fault=fault), status_of(error))
    return redirect(f"/views?{current}" if current else "/views", 303)


def _deleted(view: SavedView | None, current: str) -> Any:
    gone = urlencode({"deleted": view.name, "was": view.query}) if view else ""
    return redirect("/views?" + "&".join(filter(None, (current, gone))), 303)


def _clean(name: str) -> str:
    """The name with single blanks and no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def save(name: str, query: str) -> None:
    """Save a filter under a name; a view with this name gets the new filter.

    Raises Invalid and Unreachable.
    """
    _check(name)
    if not query:
        raise Invalid("There is no filter to save", "Filter, search or sort the list first.")
    if len(query) > LONGEST_QUERY:
        raise Invalid("This filter is too long for a view", "Use shorter values in it.")

    def added(views: list[SavedView]) -> list[SavedView]:
        kept = [view for view in views if not _is_same(view.name, name)]
        if len(kept) >= MAX_VIEWS:
            raise Invalid(f"You already have {MAX_VIEWS} views", "Delete one first.")
        return [*kept, SavedView(name, query)]

    _change(added)


def rename(name: str, new_name: str) -> None:
    """Give a view another name. Raises Invalid, NotFound and Unreachable."""
    _check(new_name)

    def renamed(views: list[SavedView]) -> list[SavedView]:
        if any(_is_same(view.name, new_name) and view.name != name for view in views):
            raise Invalid(f"Another view is already named {new_name}", "Choose another name.")
        if all(view.name != name for view in views):
            raise NotFound(
                f"The view {name} no longer exists", "It was renamed or deleted in another window."
            )
        return [SavedView(new_name, view.query) if view.name == name else view for view in views]

    _change(renamed)


def delete(name: str) -> SavedView | None:
    """Delete a view and return it; None when it is not there any more. Raises Unreachable."""
    deleted: list[SavedView] = []

    def without(views: list[SavedView]) -> list[SavedView]:
        deleted.extend(view for view in views if view.name == name)
        return [view for view in views if view.name != name]

    _change(without)
    return deleted[0] if deleted else None


def _check(name: str) -> None:
    if not name:
        raise Invalid("Enter a name", "")
    if len(name) > LONGEST_NAME:
        raise Invalid(
            f"The name is too long ({len(name)} characters)",
            f"Use at most {LONGEST_NAME} characters.",
        )


def _is_same(name: str, other: str) -> bool:
    return name.casefold() == other.casefold()
