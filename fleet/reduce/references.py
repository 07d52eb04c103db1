"""`Fleet.references` while it is being changed."""

from collections.abc import Collection, Mapping


class References:
    """The ids of the devices that each key leads to. What does not change is not copied."""

    def __init__(self, known: Mapping[str, tuple[int, ...]]) -> None:
        self._known = known
        # Thousands may share a key: a tuple would be copied for each of them.
        self._changed: dict[str, set[int]] = {}

    def ids(self, key: str) -> Collection[int]:
        changed = self._changed.get(key)
        return self._known.get(key, ()) if changed is None else changed

    def move(self, id: int, had: frozenset[str], has: frozenset[str]) -> None:
        """Let the keys in `has` lead to the device, and those only in `had` no longer."""
        for key in had - has:
            self._ids_to_change(key).discard(id)
        for key in has - had:
            self._ids_to_change(key).add(id)

    def _ids_to_change(self, key: str) -> set[int]:
        if key not in self._changed:
            self._changed[key] = {*self._known.get(key, ())}
        return self._changed[key]

    def freeze(self) -> Mapping[str, tuple[int, ...]]:
        """The references after the change; the very same ones when nothing changed."""
        if not self._changed:
            return self._known
        changed = {key: tuple(sorted(ids)) for key, ids in self._changed.items()}
        references = {**self._known, **changed}
        for key in [key for key, ids in changed.items() if not ids]:
            del references[key]
        return references
