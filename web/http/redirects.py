"""Redirect within this server only."""

import re

OWN_PATH = re.compile(r"/(?!/)[\w./?=&%+:,~-]*", re.ASCII)


def own_path(path: str) -> str:
    """The path when it is one of this server, else that of the start page."""
    return path if OWN_PATH.fullmatch(path) else "/"
