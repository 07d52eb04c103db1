"""Columns of the list that look like secrets: known by their titles, and kept nowhere."""

import pytest

from fleet import recorder_list
from fleet.secret_columns import MASK, is_secret, masked, shown


@pytest.mark.parametrize(
    "title",
    [
        *("PASSWORD", "Password 2", "admin_password", "UserPwd", "pwd", "PASS", "Passwort"),
        *("User/Password", "user/pass", "API Key", "apiKey", "KEY", "Token", "PIN", "PIN-Code"),
        *("SNMP Community", "snmpCommunity", "Credentials", "Client Secret", "Zugangsdaten"),
        *("Kennwort", "Mot de passe", "MOT-DE-PASSE", "Contrase\u00f1a", "Clave", "Senha"),
        *(
            "Wachtwoord",
            "Has\u0142o",
            "L\u00f6senord",
            "\u015eifre",
            "SIFRE",
            "Heslo",
            "Jelsz\u00f3",
        ),
        *("\u041f\u0430\u0440\u043e\u043b\u044c", "\u5bc6\u7801", "\u30d1\u30b9\u30ef\u30fc\u30c9"),
        *(
            "\uff8a\uff9f\uff7d\uff9c\uff70\uff84\uff9e",
            "\u039a\u03a9\u0394\u0399\u039a\u039f\u03a3",
        ),
        *("Schl\u00fcssel", "\ube44\ubc00\ubc88\ud638", "P A S S W O R D"),
    ],
)
def test_a_title_that_announces_a_secret_is_known(title):
    assert is_secret(title)


@pytest.mark.parametrize(
    "title",
    [
        *("PHONE", "Opened", "Monkey", "Keyboard", "Shipping", "Opinion", "Spin", "Compass"),
        *(
            "Passage",
            "SITE",
            "STORE NAME",
            "P2P NUMBER",
            "Contact",
            "Address",
            "Model",
            "",
            "Passau",
        ),
    ],
)
def test_any_other_title_is_shown(title):
    assert not is_secret(title)


def test_a_row_takes_no_secret_into_the_fleet():
    row = recorder_list.RecorderRow(
        "S1", "AB12345", "Mall", {"PASSWORD": "hunter22", "PHONE": "12"}
    )
    assert row.facts()["columns"] == {"PASSWORD": MASK, "PHONE": "12"}
    assert masked({"Pin": "1234"}) == {"Pin": MASK}
    assert shown({"Pin": "1234", "PHONE": "12"}) == {"PHONE": "12"}
