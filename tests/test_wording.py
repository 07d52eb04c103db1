"""Phrases that nobody says: not in templates, scripts, messages, comments or documentation."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.model import DEFAULT_SITE

ROOT = Path(__file__).parent.parent
OUTSIDE = {".venv", ".git", "node_modules", "tests", "bench", "data", "media"}
REFUSED = (
    "another device answers there",
    "another program has the port",
    "another row in the list",
    "answers again, so it is back",
    "asked everything",
    "be made anew",
    "be set anew",
    "Both stand in",
    "brings back what answers",
    "by turns",
    "camera needs you",
    "cameras need you",
    "can be asked again",
    "cannot be kept in",
    "changed again since",
    "changed the own password",
    "claim its MAC",
    "claim this MAC",
    "closes the house",
    "closes this server",
    "could not ask everything",
    "counts already",
    "counts nowhere",
    "database is away",
    "did not say anything",
    "disk does not take it",
    "divided by commas",
    "does not count any more",
    "does not have it online",
    "does not take the key",
    "does not tick",
    "empty: stays",
    "everybody has to sign in",
    "everything anew",
    "everything else goes on",
    "First it is shown",
    "for a family",
    "Forget what is too old",
    "give this user the right",
    "half characters",
    "has everything in them",
    "holds more than a host",
    "house stands",
    "if it shall",
    "in a way of its own",
    "in no store",
    "is asked again later",
    "is back in the list",
    "is forgotten: its row",
    "is in the list already",
    "is no .xlsx",
    "is no network",
    "is no origin",
    "is no serial",
    "is now called",
    "is the same device as",
    "it is a name and a port",
    "It stands on",
    "its answer proves nothing",
    "its bytes are in",
    "its length does not fit",
    "last scan of the former tracker did",
    ">Leave it<",
    "leave some out",
    "Let time pass",
    "limit in time",
    "line to the internet",
    ">Look at it<",
    "make somebody",
    "may not ask here",
    "may not do this",
    "may not edit",
    "names no address",
    "names no host",
    "names no machine",
    "names no server",
    "never seen, check the number",
    "no longer so",
    "no way leads",
    "Nobody can change it here",
    "nobody noted",
    "nobody waits for it",
    "none answers",
    "none is to be asked",
    "not askable",
    "not asked yet",
    "nothing compares with it",
    "Nothing found? Check",
    "nothing is known of",
    "only say which",
    "remembers the fleet",
    "right to write",
    "said apart from that",
    "said as such",
    "says 404",
    "Send the name in the URL",
    "set it anew",
    "sign in again",
    "somebody's invention",
    "speak to a whole network",
    "stands behind",
    "stands in row",
    "takes them anew",
    "the cloud does not answer",
    "the first one's address",
    "the list is full",
    "the log has the details",
    "the one from before",
    "The one that counts now",
    "The same again",
    "the server log says more",
    "there is nothing at this address",
    "these two are one",
    "they stand behind",
    "this is no ",
    "this is not your password",
    "this machine is let in",
    "through the cloud",
    "titles counts",
    "too much at once",
    "tried to change something here",
    "two devices again",
    "type the same",
    ">Use it<",
    "waits no more",
    "was taken away",
    "were not taken",
    "what answers at",
    "what is saved there counts",
    "What stands before it",
    ">What you may<",
    "which recorders there are",
    "Who is asked, and",
    "workbook from before",
    "would be retired that",
    "you have no account here",
    "drops the old keys",
    "is not there yet",
    "place of a stream",
    "runs or not",
    "seals every stored",
    "the start prints",
    "there is no camera {",
    "what comes in later versions",
    '"Settings", "',
    "already so",
    "via Dahua's cloud",
    ">Clean-up<",
    "clean-up page",
    "set-up link",
    "set-up page",
    "told apart by their",
    "An announcement alone is not proof",
    '"Number in the API"',
    "recorders come from",
    "only this server itself",
    "devices are called",
    "There is no device {",
    "There is no device $",
)


def texts() -> Iterator[tuple[str, str]]:
    """Each file that people read, and each string and comment of the product, with its place."""
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT)
        if OUTSIDE.intersection(name.parts):
            continue
        if path.suffix in (".html", ".md", ".js"):
            yield str(name), path.read_text()
        elif path.suffix == ".py":
            yield from ((f"{name}:{line}", text) for line, text in messages(path.read_text()))


def messages(source: str) -> Iterator[tuple[int, str]]:
    """The string literals of a program, docstrings too, and its comments, with their lines.

    Comments on lines that follow each other are one text.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    block: list[str] = []
    first = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.lstrip("#! ")
        if block and line != first + len(block):
            yield first, " ".join(block)
            block = []
        first = first if block else line
        block.append(text)
    if block:
        yield first, " ".join(block)


def refused_in(text: str) -> list[str]:
    flat = " ".join(text.split()).lower()
    return [phrase for phrase in REFUSED if phrase.lower() in flat]


def test_no_text_has_a_refused_phrase() -> None:
    matches = {f"{place}: {phrase}" for place, text in texts() for phrase in refused_in(text)}
    assert matches == set()


def test_the_value_of_no_site_is_in_one_place_of_the_program_and_one_of_its_scripts() -> None:
    programs = {place.partition(":")[0] for place, text in texts() if text == DEFAULT_SITE}
    scripts = {
        place
        for place, text in texts()
        if place.endswith((".js", ".html")) and re.search(rf"""["']{DEFAULT_SITE}["']""", text)
    }
    # The simulators import nothing of the program.
    assert {place for place in programs if not place.startswith("simulators/")} == {
        "fleet/model.py"
    }
    assert scripts == {"static/js/actions.js"}


@pytest.mark.parametrize(
    "source",
    [
        "print('It counts nowhere.')",
        "print(f'{name} counts nowhere')",
        "raise Refused('It counts '\n    'nowhere.')",
        "TEXT = '''It counts\nnowhere.'''",
        'def f():\n    """It counts nowhere."""',
        "number = 1  # It counts nowhere.",
        "# It counts\n# nowhere.\nnumber = 1",
    ],
)
def test_a_phrase_in_a_message_docstring_or_comment_is_seen(source: str) -> None:
    assert ["counts nowhere"] in [refused_in(text) for _line, text in messages(source)]
