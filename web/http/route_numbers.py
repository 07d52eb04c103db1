"""Numbers in the paths of requests: what no database can hold is the number of nothing."""

from flask import Flask
from werkzeug.routing import IntegerConverter


class RowNumber(IntegerConverter):
    """`<int:id>`: the number of a row, below a billion. A larger one answers 404."""

    regex = r"[0-9]{1,9}"


def register(app: Flask) -> None:
    """Register before any route with a number."""
    app.url_map.converters["int"] = RowNumber
