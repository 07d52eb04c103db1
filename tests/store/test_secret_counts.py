"""Numbers of secret texts in a file that tells none of them."""

from pathlib import Path

import pytest

from store.secret_counts import SecretCounts
from store.vault import Vault


def counts(folder: Path) -> SecretCounts:
    return SecretCounts(folder / "counts.json", Vault(folder / "keys"), "logins")


def test_a_number_is_kept_over_a_restart_until_it_is_forgotten(tmp_path: Path) -> None:
    first = counts(tmp_path)
    assert first.of("host", "pass") == 0
    assert [*tmp_path.iterdir()] == [], "nothing is made before it is needed"
    first.add("host", "pass")
    first.add("host", "pass", number=2, now=5.5)
    first.save(first.snapshot())
    again = counts(tmp_path)
    assert (again.of("host", "pass"), again.of("hostp", "ass")) == (3, 0)
    assert again.time_of("host", "pass") == 5.5
    assert again.forget("host", "pass")
    again.save(again.snapshot())
    assert counts(tmp_path).is_empty


def test_another_key_knows_none_of_the_texts(tmp_path: Path) -> None:
    kept = counts(tmp_path)
    kept.add("host", "pass")
    kept.save(kept.snapshot())
    (tmp_path / "keys" / "logins.key").unlink()
    assert counts(tmp_path).of("host", "pass") == 0


def test_a_number_of_an_older_version_is_read(tmp_path: Path) -> None:
    kept = counts(tmp_path)
    fingerprint = kept.fingerprint("host", "pass")
    (tmp_path / "counts.json").write_text(f'{{"{fingerprint}": 2}}')
    assert (kept.of("host", "pass"), kept.time_of("host", "pass")) == (2, 0)


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": -1, "b": "x"}', b"\xff"])
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "counts.json").write_bytes(content)
    kept = counts(tmp_path)
    assert kept.is_empty
    kept.add("host")
    kept.save(kept.snapshot())
    assert counts(tmp_path).of("host") == 1


def test_a_key_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "logins.key").write_bytes(b"damaged\n")
    kept = counts(tmp_path)
    kept.add("host")
    assert kept.of("host") == 1


def test_the_oldest_numbers_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.secret_counts.MAX_COUNTS", 3)
    kept = counts(tmp_path)
    for number in range(5):
        kept.add(str(number))
    assert [kept.of(str(number)) for number in range(5)] == [0, 0, 1, 1, 1]
