"""Import a list of devices in the name of the person of the request: preview, then one write."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from fleet import labels
from fleet.edit import editing, import_events, import_parents, importing
from fleet.edit.importing import ListedRow, Rehearsal, RowResult
from fleet.model import Device, Edit, Event, Fleet, Refused
from inventory.build import InventoryPackage
from inventory.import_rows import ImportList
from inventory.staging import Staged, StagedImports
from store.vault import SecretLost
from web.http.auditing import actor_name, note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet

ACTION = "device.add"
PREVIEWED = "fleet.previewed"
MAX_NUMBERS = 1000
"""Numbers of devices that the audit log keeps of one import; the journal has all of them."""


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What each row of the list would do; `key` saves it."""

    name: str
    results: Sequence[RowResult]
    notes: Sequence[str]
    key: str

    @property
    def counts(self) -> dict[str, int]:
        return importing.counts(self.results)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was saved. `undo`: the numbers of the events that undo all of it."""

    name: str
    results: Sequence[RowResult]
    undo: Sequence[int]
    text: str
    key: str

    @property
    def counts(self) -> dict[str, int]:
        return importing.counts(self.results)


def staged_imports() -> StagedImports:
    """The previews that wait to be saved."""
    return current_monitor().packages.find(InventoryPackage).imports


def preview(rows: ImportList, name: str) -> ImportPreview:
    """Try all rows without writing; passwords are sealed at once. Raises SecretLost, CannotKeep."""
    monitor, sealed = current_monitor(), list[Mapping[str, str]]()
    fleet, by, now = monitor.tracker.fleet(), actor_name(), monitor.clock()
    rehearsal = Rehearsal(fleet, monitor.rules(), now)
    listed = import_parents.resolved(rows.rows, fleet, visible_fleet().devices())
    results, failed = [*rows.refused], {result.number for result in rows.refused}
    shown = dict[int, RowResult]()
    with monitor.secrets.sealing() as seal:

        def seal_and_note(text: str) -> Mapping[str, str]:
            sealed.append(seal(text))
            return sealed[-1]

        for entry in listed:
            row = entry.row
            try:
                entry.check(failed)
                edits = importing.edits_of(fleet, row, has_password, seal_and_note, by, now)
                result, as_shown = _tried(fleet, rehearsal, row, edits)
                results.append(replace(result, depth=entry.depth))
                if as_shown is not None:
                    shown[row.number] = replace(as_shown, depth=entry.depth)
            except Refused as error:
                named = str(row.values.get("name") or "")
                results.append(importing.refused_row(row.number, row.place, named, error))
            if _is_refused(results[-1]):
                failed.add(row.number)
    results.sort(key=lambda result: result.number)
    cells = {result.number: rows.cells[result.number] for result in results if _is_refused(result)}
    first = sealed[0]["sealed"] if sealed else None
    key = staged_imports().put(Staged(name, by, results, cells, first))
    if shown:
        text = f"Preview of {name}: {labels.counted(len(shown), 'login')} given for known devices"
        note(PREVIEWED, name, text)
    seen = [shown.get(result.number, result) for result in results]
    return ImportPreview(name, seen, rows.notes, key)


def _tried(
    fleet: Fleet, rehearsal: Rehearsal, row: ListedRow, edits: Sequence[Edit]
) -> tuple[RowResult, RowResult | None]:
    """What a row would do, and what a preview shows instead: it does not say whether a password is
    the saved one, as nobody logs in to find out."""
    if not importing.replaces_login(fleet, row):
        return rehearsal.result(row, edits), None
    is_other = any("secret" in edit.fields for edit in edits)
    result = rehearsal.result(row, importing.without_password(edits))
    shown, result = importing.with_login_given(result, row.source, is_other)
    return (replace(result, edits=edits) if result.state == importing.CHANGED else result), shown


def _is_refused(result: RowResult) -> bool:
    return result.state == importing.REFUSED


def has_password(device: Device, source: str, password: str) -> bool:
    """True if the access of this source to the device has this password."""
    secret = device.access[source].secret
    try:
        return secret is not None and current_monitor().secrets.unseal(secret) == password
    except SecretLost:
        return False


def save(key: str) -> ImportResult:
    """Save all rows of a preview that are not refused, in one write. Raises NotFound for a preview
    that has expired or is saved, HttpError (401, 403) and CannotKeep."""
    staged = staged_imports().claim(key, actor_name())
    with ExitStack() as failure:
        failure.callback(staged_imports().put_back, key, staged)
        events, refused = _apply(staged)
        failure.pop_all()
    results = [refused.get(result.number, result) for result in staged.results]
    undo = [event.sequence for event in events if editing.can_undo(event)]
    text = next((event.text for event in events if event.kind == import_events.EVENT), "")
    if undo:
        numbers = list(dict.fromkeys(event.device for event in events if event.device))
        note(import_events.EVENT, staged.name, text, {}, {"numbers": numbers[:MAX_NUMBERS]})
    text = text.removesuffix(f", {labels.author(actor_name())}")
    return ImportResult(staged.name, results, undo, text, key)


def _apply(staged: Staged) -> tuple[list[Event], dict[int, RowResult]]:
    """Apply the edits; the events, and the rows that are refused now by their numbers."""
    monitor, refused = current_monitor(), dict[int, Refused | HttpError]()
    with monitor.secrets.sealing():
        # A key that was replaced since then does not open them.
        if staged.sealed and not monitor.secrets.is_newest(staged.sealed):
            raise staged.expired()
        edits = importing.batch(staged.results, staged.name, actor_name(), monitor.clock())
        if not edits:
            return [], {}
        judge = visible_fleet().judge(ACTION)
        events = monitor.tracker.apply(edits, monitor.clock(), judge, refused)
    rows = importing.in_order(staged.results)
    places = [result for result in rows for _edit in result.edits]
    return events, {
        places[place].number: _refused_now(places[place], error)
        for place, error in refused.items()
        if place < len(places)
    }


def _refused_now(result: RowResult, error: Refused | HttpError) -> RowResult:
    return replace(result, state=importing.REFUSED, text=error.error, hint=error.hint, edits=())


def refused_cells(key: str) -> tuple[str, list[dict[str, str]]]:
    """The name of the list, and its refused rows with the reason and without passwords. Raises
    NotFound."""
    staged = staged_imports().get(key, actor_name())
    rows = [
        {"row": f"{result.number}", "error": result.text, "hint": result.hint}
        | dict(staged.cells.get(result.number, {}))
        for result in staged.results
        if _is_refused(result)
    ]
    return staged.name, rows
