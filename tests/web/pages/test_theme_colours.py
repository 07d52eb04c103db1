"""The colours that browsers draw around the page are those of the stylesheet."""

import re
from pathlib import Path

from tests.web.pages.stores import Make

STYLE = Path(__file__).parents[3] / "static" / "style.css"


def test_the_head_and_the_manifest_have_the_colours_of_the_stylesheet(make_home: Make) -> None:
    pairs = re.findall(r"--(surface|raised): light-dark\((#\w+), (#\w+)\)", STYLE.read_text())
    colours = {name: (light, dark) for name, light, dark in pairs}
    client = make_home().client
    page = client.get("/", headers={"Accept": "text/html"}).text
    shown = re.findall(r'<meta name="theme-color" content="(#\w+)"', page)
    assert tuple(shown) == colours["raised"]
    manifest = client.get("/manifest.webmanifest").get_json(force=True)
    assert manifest["theme_color"] == colours["raised"][0]
    assert manifest["background_color"] == colours["surface"][0]
