"""Detect columns of a list that look like secrets, by their titles. Pure.

Their values stay in the list's own file: here they are MASK from the moment a row is read.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from store.masking import MASK

WORDS = (
    *("pass", "pw", "pin", "puk", "key", "keys", "psk", "otp", "secret", "community"),
    *("communities", "creds", "clave", "chiave", "llave", "clé", "schlüssel", "schluessel"),
)
"""Whole words of a title. `key` may be that of a door: hidden for nothing does less harm."""
PARTS = (
    *("passw", "passphrase", "passcode", "pwd", "secret", "credential", "token", "pincode"),
    *("apikey", "accesskey", "privatekey", "authkey", "snmpcommunity"),
    *("kennwort", "zugangsdaten", "anmeldedaten", "geheim", "mot de passe", "identifiants"),
    *("contraseña", "credencial", "senha", "palavrapasse", "parola", "credenziali"),
    *("wachtwoord", "toegangscode", "lösenord", "adgangskode", "passord", "salasana", "parool"),
    *("parole", "slaptažodis", "hasło", "heslo", "jelszó", "geslo", "lozinka", "şifre"),
    *("κωδικός", "пароль", "лозинка", "密码", "密碼", "口令", "パスワード", "暗証", "비밀번호"),
    *("암호", "סיסמה", "كلمة المرور", "mật khẩu", "kata sandi"),
)
"""Parts of a title, whatever blanks and accents it has."""
LONGEST = 200
LETTERS = str.maketrans({"ł": "l", "ı": "i", "ø": "o", "đ": "d"})


def _words(title: str) -> list[str]:
    """The words of a title in small letters without accents."""
    text = unicodedata.normalize("NFKD", title[:LONGEST].casefold().translate(LETTERS))
    plain = "".join(letter for letter in text if not unicodedata.combining(letter))
    return re.findall(r"[^\W_]+", plain)


_WORDS = frozenset(word for phrase in WORDS for word in _words(phrase))
_PARTS = tuple("".join(_words(part)) for part in PARTS)


def is_secret(title: str) -> bool:
    """True if a column with this title may hold passwords, keys and the like."""
    words = _words(title)
    return not _WORDS.isdisjoint(words) or any(part in "".join(words) for part in _PARTS)


def secret_titles(titles: Iterable[str]) -> list[str]:
    return [title for title in titles if is_secret(title)]


def masked(columns: Mapping[str, str]) -> dict[str, str]:
    """The columns of a row, with MASK for each secret that is there."""
    return {title: MASK if is_secret(title) else text for title, text in columns.items()}


def shown(columns: Mapping[str, str]) -> dict[str, str]:
    """The columns of a row that are no secrets."""
    return {title: text for title, text in columns.items() if not is_secret(title)}
