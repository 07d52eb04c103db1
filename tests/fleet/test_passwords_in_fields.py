"""A password in a plain field is refused, and none is quoted in a message."""

import pytest

from fleet import access_fields
from fleet.model import Invalid
from fleet.reduce.access import validated_key
from fleet.validation import InvalidValue


@pytest.mark.parametrize(
    "path", ["/a?loginuse=admin&loginpas=X", "/a?usr=admin&pw=X", "/a?psw=X", "/a?pswd=X"]
)
def test_a_password_in_a_path_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match="contains a password"):
        access_fields.values({"path": path})


def test_a_password_in_an_option_or_a_key_is_refused() -> None:
    with pytest.raises(Invalid, match="looks like a password or contains one"):
        access_fields.values({"options": {"url": "rtsp://admin:X@10.0.0.5"}})
    with pytest.raises(Invalid, match="contains a password"):
        validated_key("rtsp:admin:X@10.0.0.5/x")


@pytest.mark.parametrize("name", ["secret", "secret_options", "extra"])
def test_a_message_quotes_nothing_that_may_be_a_password(name: str) -> None:
    assert "TukanPass" not in str(InvalidValue("device 1", name, "text is expected", "TukanPass"))
    assert "TukanPass" not in str(
        InvalidValue("secrets", "a", "an object is expected", "TukanPass")
    )
