"""Logins within the path or query of a stream URL, as some makers want them. Pure.

A path keeps placeholders in their place, {username} and {password}, which are filled in when the
device is asked. So the path can be stored and shown, and a login that changes does not change it.
"""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from store.masking import decoded_spans, spellings
from store.secret_texts import is_looked_for

USERNAME, PASSWORD = "{username}", "{password}"  # nosec B105 (placeholders)
SHORTEST = 3
"""Characters of a password that is looked for in a path without a name in front of it; a shorter
one is in every other path."""
FIELD = re.compile(
    r"(?i)(?:^|(?<=[/?&;_]))(?:"
    r"(?P<user>user(?:_?name)?|usr|login_?(?:name|use)?|account)"
    r"|(?P<password>login_?pas|pass?|passwd|password|passphrase|passcode|pwd|pswd?|psw|pw|secret)"
    r")="
)
END = re.compile(r"(?i)&|;\w{1,20}=|_(?:channel|stream|user|username|password)=")
"""Where the value of a field ends, also one with unencoded slashes; XMeye divides by `_`."""
SEGMENTS = re.compile(
    r"^/(?:live/(?P<user>[^/?:=]{1,384})/(?P<password>[^/?=]{1,768})(?=/ch[0-9])"
    r"|[0-9]{1,2}/(?P<user2>[^/?:=]{1,384}):(?P<password2>[^/?:=]{1,768})(?=/(?:main|sub|av)))"
)
"""A user and a password as parts of a path: /live/<user>/<password>/ch1, /0/<user>:<password>/main.
"""
FOREIGN = re.compile(
    r"(?i)^/(?P<user>[^/?:=]{1,384})[/:](?P<password>[^/?:=]{1,768})(?=/ch_?[0-9])"
    r"|(?:^|[/?&;])auth[a-z]{0,8}=(?!\{)[^&;{]{3}"
)
"""Forms in which devices write a login, that too many other paths have for what a person types."""
STREAM_WORD = re.compile(
    r"(?i)(?:live|media|video|stream|streaming|h\.?26[45]|hevc|mpeg4?|mjpeg|jpeg|main|sub|av|rtsp|onvif"
    r"|cam|camera|channels?|profile|unicast|multicast|axis|nvr|dvr|ch)[-_.]?[0-9]{0,3}"
)
Span = tuple[int, int]
END_MARKS = ("", *"/&;?:_")
PLACE = re.compile(r"\{password\}(?=[&;/?_@:.]|$)")


@dataclass(frozen=True, slots=True)
class PathLogin:
    """A path with placeholders, and the login that was in their place, decoded; None for what was
    not in it."""

    path: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def taken_out(path: str) -> PathLogin:
    """Take the login out of a path in which makers are known to write one. The path as it is where
    there is no password. Raises UnicodeDecodeError for one that is not encoded as UTF-8."""
    if match := SEGMENTS.match(path):
        name = "" if match["user"] else "2"
        return _cut(path, match.span(f"user{name}"), match.span(f"password{name}"))
    fields: dict[str, Span] = {}
    for match in FIELD.finditer(path):
        fields.setdefault(str(match.lastgroup), (match.end(), _end(path, match.end())))
    password = fields.get("password")
    return _cut(path, fields.get("user"), password) if password else PathLogin(path)


def taken_out_of_url(url: str) -> PathLogin:
    """Likewise for the path of a whole URL, which is the path of the result then."""
    scheme, separator, rest = url.partition("://")
    start = min((at for mark in "/?" if (at := rest.find(mark)) >= 0), default=len(rest))
    inner = taken_out(rest[start:])
    return replace(inner, path=f"{scheme}{separator}{rest[:start]}{inner.path}")


def _end(path: str, start: int) -> int:
    """Where the value that begins here ends."""
    match = END.search(path, start)
    end = match.start() if match else len(path)
    if "?" in path[:start] or (match and match[0].startswith("_")):
        return end
    return min((at for mark in "/?;" if (at := path.find(mark, start, end)) >= 0), default=end)


def _cut(path: str, user: Span | None, password: Span) -> PathLogin:
    username, secret = path[slice(*user)] if user else None, path[slice(*password)]
    if secret in ("", PASSWORD):
        return PathLogin(path)
    if username == USERNAME:
        user, username = None, None
    cuts = [(password, PASSWORD), *([(user, USERNAME)] if user else [])]
    for (start, end), placeholder in sorted(cuts, reverse=True):
        path = f"{path[:start]}{placeholder}{path[end:]}"
    return PathLogin(
        path,
        unquote(username, errors="strict") if username else None,
        unquote(secret, errors="strict"),
    )


def has_place(path: str) -> bool:
    """True if the path has a place for a password."""
    return PASSWORD in path


def without_places(path: str) -> str:
    """The path with a divider where the password will be, to look for secrets in the rest."""
    return PLACE.sub("&", path).replace(USERNAME, "")


def filled(path: str, username: str | None, password: str | None) -> str:
    """The path as it is sent, with the login in its places."""
    if "{" not in path:
        return path
    parts = path.split(PASSWORD)
    # Each part by itself, so that a password is sent as it is, whatever it contains.
    named = [part.replace(USERNAME, quote(username or "", safe="")) for part in parts]
    return quote(password or "", safe="").join(named)


def hidden(path: str, username: str, password: str) -> str:
    """The path of a URL that a device gave, with placeholders where it repeats its login. One that
    it invents is no placeholder: it would reveal the password."""
    path = path.replace("{", "%7B").replace("}", "%7D")
    if not password:
        return path
    try:
        cut = taken_out(path)
    except UnicodeDecodeError:
        return path
    if cut.password == password:
        is_ours = cut.username in (None, username)
        path = cut.path if is_ours else cut.path.replace(USERNAME, quote(cut.username or ""))
    if len(password) >= SHORTEST:
        for spelling in sorted(spellings(password), key=len, reverse=True):
            path = path.replace(spelling, PASSWORD)
    if is_looked_for(password):
        for start, end in reversed([*decoded_spans(password, path)]):
            path = f"{path[:start]}{PASSWORD}{path[end:]}"
    return _with_name_hidden(path, username) if PASSWORD in path else path


def has_foreign(path: str, username: str) -> bool:
    """True if a device wrote another login into the path than its placeholders, by the forms of
    makers."""
    try:
        if taken_out(path).password is not None:
            return True
    except UnicodeDecodeError:
        return True
    match = FOREIGN.search(path)
    if match is None or match["user"] is None:
        return match is not None
    if PASSWORD in match["password"]:
        return False
    is_own = match["user"] in (USERNAME, username, quote(username, safe=""))
    return is_own or not any(STREAM_WORD.fullmatch(match[part]) for part in ("user", "password"))


def _with_name_hidden(path: str, username: str) -> str:
    """The path with a placeholder for the user name too, where it is the last whole part or value
    before the password."""
    before, placeholder, after = path.partition(PASSWORD)
    for spelling in {username, quote(username, safe="")} - {""}:
        start = before.rfind(spelling)
        end = start + len(spelling)
        is_whole = start > 0 and before[start - 1] in "/=:" and before[end : end + 1] in END_MARKS
        if is_whole and USERNAME not in path:
            before = f"{before[:start]}{USERNAME}{before[end:]}"
            break
    return f"{before}{placeholder}{after}"
