"""Names of accounts: which are refused, and which spellings are one name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import NotAllowed
from accounts.names import LONGEST, key_of, validated

KEPT = {
    "plain": ("ada", "ada"),
    "with capitals, which stay": ("Ada Lovelace", "Ada Lovelace"),
    "an address": ("ada.l+cam@example-site.org", "ada.l+cam@example-site.org"),
    "blanks around": ("  ada\t\n", "ada"),
    "one letter": ("a", "a"),
    "the longest": ("a" * LONGEST, "a" * LONGEST),
    "fullwidth letters": ("ａｄｍｉｎ", "admin"),
    "a fullwidth blank around": ("\u3000ada\u3000", "ada"),
    "a ligature": ("ﬁona", "fiona"),
    "digits as exponents": ("ada²", "ada2"),
    "letter and accent apart": ("Jose\u0301", "José"),
    "umlauts": ("Größe", "Größe"),
    "Cyrillic": ("Иван 2", "Иван 2"),
    "Greek": ("Ἀθηνᾶ", "Ἀθηνᾶ"),
    "Chinese": ("王小明", "王小明"),
    "Japanese in three scripts": ("アレックスの太郎", "アレックスの太郎"),
    "Japanese with the long vowel and the doubled sign": ("佐々木サーバー", "佐々木サーバー"),
    "Persian with its own digits": ("علی۳", "علی۳"),
    "Korean, with a Chinese letter": ("김철수 金", "김철수 金"),
    "Korean in pieces": ("\u1100\u1161", "가"),
    "Arabic with its own digits": ("علي٣", "علي٣"),
    "something like SQL": ("a@b.c", "a@b.c"),
}


@pytest.mark.parametrize("what", KEPT)
def test_a_name_is_kept_in_one_form(what: str) -> None:
    typed, kept = KEPT[what]
    assert validated(typed) == kept


REFUSED = {
    "nothing": "",
    "blanks": "   ",
    "blanks of other widths": "\u2003\u3000\xa0",
    "too long": "a" * (LONGEST + 1),
    "too long once it is spelled out": "\ufdfa" * 10,
    "very long": "a" * 1_000_000,
    "very long, and short when it is cut": "bob" + " " * 1000 + "by",
    "what acts without a login": "Local",
    "what acts without a login, in capitals": "Command Line",
    "what a workbook is called": "Stores.XLSX",
    "two blanks, which look like one": "ada  l",
    "a blank of another width inside, beside one": "ada \u2003l",
    "a newline inside": "ada\nroot logged in",
    "a return inside": "ada\rroot",
    "a tab inside": "ada\tl",
    "a NUL": "ada\x00",
    "an escape": "ada\x1b[31m",
    "DEL": "ada\x7f",
    "a C1 control": "ada\x85l",
    "a line separator": "ada\u2028l",
    "zero width space": "ad\u200bmin",
    "zero width joiner": "ad\u200dmin",
    "a word joiner": "ad\u2060min",
    "a byte order mark": "\ufeffadmin",
    "a soft hyphen": "ad\xadmin",
    "a grapheme joiner": "ad\u034fmin",
    "a variation selector": "admin\ufe0f",
    "a tag": "admin\U000e0061",
    "Korean fillers only, which nobody sees": "\u3164",
    "a Korean filler beside letters": "김\u1160철",
    "a halfwidth Korean filler": "김\uffa0",
    "written from the right": "\u202enimda",
    "a mark of direction": "admin\u200f",
    "an isolate": "\u2066admin\u2069",
    "an accent that joins nothing": "admin\u0332",
    "an accent first": "\u0301admin",
    "half a character": "ada\ud800",
    "the other half": "\udc00",
    "private use": "ada\ue000",
    "not assigned": "ada\U000e0fff",
    "a picture": "ada📷",
    "markup": "<b>ada</b>",
    "quotes": "ada'--",
    "a slash": "../ada",
    "a colon, which ends the name in Basic": "ada:l",
    "a comma": "ada,root",
    "a percent sign": "ada%",
    "a Cyrillic a": "\u0430dmin",
    "a Greek o": "r\u03bf\u03bft",
    "a Cherokee letter": "\u13aadmin",
    "a Bengali digit that looks like o": "b\u09e6b",
    "a Malayalam digit that looks like o": "r\u0d66ot",
    "Latin and Chinese": "ada王",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_name_that_hides_something_or_looks_like_another_is_refused(what: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        validated(REFUSED[what])
    assert refused.value.field == "username"
    assert refused.value.hint
    message = refused.value.error + refused.value.hint
    assert message.isprintable()
    assert len(message) < 300, "what was typed is not thrown back"


SAME = {
    "capitals": ("Ada", "aDA"),
    "blanks around": ("ada", " ada "),
    "fullwidth": ("admin", "ＡＤＭＩＮ"),
    "an accent apart": ("josé", "JOSE\u0301"),
    "sharp s": ("straße", "STRASSE"),
    "long s": ("sun", "ſun"),
    "the sigmas": ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    "a ligature": ("fiona", "ﬁona"),
    "Cyrillic capitals": ("иван", "ИВАН"),
    "Cherokee capitals": ("\u13a0", "\uab70"),
    "the sign of Kelvin": ("kim", "\u212aim"),
}


@pytest.mark.parametrize("what", SAME)
def test_two_spellings_are_one_name(what: str) -> None:
    first, other = SAME[what]
    assert key_of(first) == key_of(other)


OTHERS = [
    ("ada", "adam"),
    ("ada l", "adal"),
    ("jose", "josé"),
    ("a.b", "a-b"),
    ("a" * LONGEST, "a" * (LONGEST - 1)),
    ("", "a"),
]


@pytest.mark.parametrize(("first", "other"), OTHERS)
def test_two_names_are_two(first: str, other: str) -> None:
    assert key_of(first) != key_of(other)


anything = st.text(st.characters(exclude_categories=()), max_size=60)


@settings(deadline=None)
@given(anything)
def test_what_fits_stays_as_it_is_and_has_a_key_that_fits_the_table(text: str) -> None:
    try:
        name = validated(text)
    except NotAllowed:
        return
    assert validated(name) == name
    assert key_of(name) == key_of(text)
    assert 1 <= len(name) <= LONGEST
    assert 1 <= len(key_of(name)) <= 120
    assert name.isprintable()


@settings(deadline=None)
@given(st.text("aAàÀßſΣσςİıﬁＡа́ ", max_size=10))
def test_the_key_of_a_key_is_itself(text: str) -> None:
    assert key_of(key_of(text)) == key_of(text)


@pytest.mark.parametrize("mark", ["a", " ", "\ufdfa", "\u0301\u0323"])
def test_a_key_is_short_however_long_the_name(mark: str) -> None:
    """And is made at once: a million accents take minutes to be put in order."""
    assert len(key_of(mark * 1_000_000)) <= 2 * LONGEST
