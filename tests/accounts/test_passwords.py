"""Passwords: which are refused, how they are kept, and what a check costs at the most."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from werkzeug.security import generate_password_hash

from accounts import passwords
from accounts.model import NotAllowed
from accounts.passwords import LONGEST, SHORTEST, hashed, is_supported, matches, validated
from tests.accounts.people import NEW, PASSWORD, STORED

STRONG = "vk7#Tq2pLz"


@pytest.fixture(scope="module")
def kept() -> str:
    """A real hash; it takes a tenth of a second."""
    return hashed(PASSWORD)


# -- which are good enough -------------------------------------------------------------------


def test_the_shortest_has_ten_characters() -> None:
    assert len(STRONG) == SHORTEST == 10
    assert validated(STRONG, "ada") == STRONG
    with pytest.raises(NotAllowed, match="this one has 9") as refused:
        validated(STRONG[:-1], "ada")
    assert refused.value.field == "password"
    assert STRONG[:-1] not in refused.value.error + refused.value.hint


def test_the_longest_has_two_hundred() -> None:
    long = "".join(chr(ord("a") + (n * n * 7 + n) % 26) for n in range(LONGEST))
    assert validated(long, "ada") == long
    for more in (1, 5000):
        with pytest.raises(NotAllowed):
            validated(long + "x" * more, "ada")


COMMON = [
    *("password123", "qwertyuiop", "administrator1", "Passw0rd123", "p@ssw0rd!!", "1234567890"),
    *("0123456789", "qwertz12345", "letmein1234", "iloveyou12", "welcome2024", "changeme123"),
    *("admin12345", "aaaaaaaaaa", "abcdefghij", "11111111111", "2024-01-01", "passwort123"),
    *("abcabcabcabc", "panasonic1", "dahua12345", "onvif12345", "cameramonitor", "qwertyqwerty"),
    *("1q2w3e4r5t", "zaq12wsxcde", "!@#$%^&*()", "asdfghjkl;", "password-1", "camera monitor"),
    *("x" * LONGEST, " " * 12),
]


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_refused(password: str) -> None:
    with pytest.raises(NotAllowed, match="easy to guess") as refused:
        validated(password, "ada")
    assert password.strip() not in refused.value.error + refused.value.hint or not password.strip()


OWN = [
    ("wachtmeister", "wachtmeister"),
    ("wachtmeister", "Wachtmeister1"),
    ("Wachtmeister", "wachtmeister"),
    ("wachtmeister", "W@chtmeister"),
    ("wachtmeister", "retsiemthcaw"),
    ("jsmith@example.org", "jsmith@example.org"),
]


@pytest.mark.parametrize(("name", "password"), OWN)
def test_the_own_name_is_no_password(name: str, password: str) -> None:
    with pytest.raises(NotAllowed, match="easy to guess"):
        validated(password, name)


def test_the_name_of_somebody_else_is_judged_as_any_word() -> None:
    """The name of the account before does not stay in the dictionary."""
    with pytest.raises(NotAllowed):
        validated("Zwrokmplanth", "zwrokmplanth")
    assert validated("Zwrokmplanth", "ada")


GOOD = [
    PASSWORD,
    NEW,
    "four walnuts beneath a tram",
    "sieben Zwerge auf dem Dachboden",
    "тихий океан зимой 7",
    "門の前で猫が三匹待っている",
    "x9$Lm2!pQw",
    "📷🌧🚲🥨🪴🎻🧭🛶🦔🍋",
]


@pytest.mark.parametrize("password", GOOD)
def test_several_words_and_random_signs_are_accepted(password: str) -> None:
    assert validated(password, "ada")


def test_invalid_characters_are_refused_in_words() -> None:
    with pytest.raises(NotAllowed, match="contains invalid characters") as refused:
        validated("\ud800" + NEW, "ada")
    assert refused.value.field == "password"


# -- one spelling ----------------------------------------------------------------------------


def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    stored = generate_password_hash(validated("Größe ohne Maß 12", "ada"), "pbkdf2:sha256:1")
    for typed in ("Größe ohne Maß 12", "Gro\u0308ße ohne Maß 12", "Größe　ohne Maß １２"):
        assert matches(stored, typed), typed
    for typed in ("größe ohne Maß 12", "Größe ohne Mass 12", "Größe ohne Maß 12 "):
        assert not matches(stored, typed), typed


def test_an_old_hash_of_letters_as_typed_is_right_too() -> None:
    """Another program did not bring the letters into one form."""
    for typed in ("m³ Wasser… sind viel", "gro\u0308ßer"):
        stored = generate_password_hash(typed, "pbkdf2:sha256:1")
        assert matches(stored, typed), typed
        assert not matches(stored, typed + "!")


# -- how they are kept -----------------------------------------------------------------------


def test_a_hash_is_scrypt_with_a_salt_of_its_own(kept: str) -> None:
    assert kept.startswith("scrypt:32768:8:1$")
    again = hashed(PASSWORD)
    assert again.split("$")[1] != kept.split("$")[1]
    assert again.split("$")[2] != kept.split("$")[2]
    assert PASSWORD not in kept
    assert matches(kept, PASSWORD)
    assert not matches(kept, PASSWORD.title())
    assert not matches(kept, "")


def test_nobody_has_a_hash_that_costs_as_much_and_fits_nothing(kept: str) -> None:
    assert passwords.dummy_hash().split("$")[0] == kept.split("$")[0]
    assert passwords.dummy_hash() is passwords.dummy_hash()
    assert not matches(passwords.dummy_hash(), PASSWORD)


def test_a_password_that_only_begins_right_is_wrong() -> None:
    """However long it is."""
    longest = "k" * LONGEST
    stored = generate_password_hash(longest, "pbkdf2:sha256:1")
    assert matches(stored, longest)
    for more in ("k", "x", "k" * 10_000):
        assert not matches(stored, longest + more)


HASHES = {
    "ours": (STORED, True),
    "scrypt": ("scrypt:1024:8:1$salt$00", True),
    "pbkdf2": ("pbkdf2:sha256:1000$salt$00", True),
    "pbkdf2 with another digest": ("pbkdf2:sha512:1000$salt$00", True),
    "nothing": ("", False),
    "the password itself": ("hunter2hunter2", False),
    "very old Werkzeug": ("sha1$salt$da39a3ee5e6b4b0d3255bfef95601890afd80709", False),
    "older": ("md5$salt$d41d8cd98f00b204e9800998ecf8427e", False),
    "sha256 without rounds": ("sha256$salt$00", False),
    "plain": ("plain$$secret", False),
    "bcrypt": ("$2b$12$KIXQ4S8nNw8v3Uu2bqk1eOa6pQ7qf1oJx9Wn1yq0D0uG7T7c9kq6e", False),
    "argon2": ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", False),
    "Django": ("pbkdf2_sha256$260000$salt$aGFzaA==", False),
    "no salt and no digest": ("scrypt$", False),
    "no digest": ("scrypt:1024:8:1$salt", False),
    "an empty digest": ("scrypt:1024:8:1$salt$", False),
    "an unknown digest": ("pbkdf2:nope:1$salt$00", False),
    "no rounds": ("pbkdf2:sha256:0$salt$00", False),
    "rounds that are no number": ("pbkdf2:sha256:many$salt$00", False),
    "rounds beyond all numbers": ("pbkdf2:sha256:99999999999$salt$00", False),
    "scrypt with two numbers": ("scrypt:2:1$salt$00", False),
    "scrypt with a number that does not fit": ("scrypt:3:1:1$salt$00", False),
    "scrypt beyond all memory": ("scrypt:99999999999999999999:8:1$salt$00", False),
    "half characters": ("scrypt:1024:8:1$\ud800$00", False),
    "a digest that is no hex": ("scrypt:1024:8:1$salt$é", False),
}


@pytest.mark.parametrize("what", HASHES)
def test_a_hash_can_be_checked_or_not_and_is_never_an_error(what: str) -> None:
    stored, can = HASHES[what]
    assert is_supported(stored) is can
    assert not matches(stored, "not the password")


# -- what it costs at the most ---------------------------------------------------------------

LEET = "4@8({[<3!1|0$5+7%2"
LONG = ["a" * 10_000_000, "\u0301\u0323" * 1_000_000, "\ufdfa" * 1_000_000, LEET * 9]


@pytest.mark.parametrize("password", LONG, ids=["letters", "accents", "one for eighteen", "leet"])
def test_an_endless_password_is_cheap(password: str) -> None:
    """The accents alone would take an hour to be put in order: the test would not end."""
    assert not matches(STORED, password)
    with pytest.raises(NotAllowed):
        validated(password * 2, "ada")


def test_two_checks_at_once_and_no_more(kept: str) -> None:
    """Each takes 32 MB. The third waits until a place is free."""
    started = Event()

    def check() -> bool:
        started.set()
        return matches(kept, PASSWORD)

    with ThreadPoolExecutor(1) as pool:
        with passwords._hash_slots, passwords._hash_slots:
            third = pool.submit(check)
            assert not passwords._hash_slots.acquire(blocking=False), "there are two places"
            assert started.wait(20)
            assert not third.done()
        assert third.result(20) is True


def test_a_check_that_fails_gives_its_place_back(kept: str) -> None:
    for stored in ("sha1$a$b", "scrypt:a$s$a", ""):
        for _ in range(3):
            assert not matches(stored, PASSWORD)
    assert matches(kept, PASSWORD)


def test_many_at_once_all_come_to_an_end(kept: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        typed = [PASSWORD, "wrong"] * 4
        assert list(pool.map(lambda attempt: matches(kept, attempt), typed)) == [True, False] * 4
