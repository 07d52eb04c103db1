"""The address of a device's own web page."""

import ipaddress

from fleet.model import Device

WEB_PORTS = {"panasonic": "port"}
"""The fact with the port of the web page, by source; `http_port` for any other one. The port that
another source names is that of its own protocol."""
TLS_PORTS = frozenset({443, 8443})


def web_page(device: Device) -> str | None:
    """The URL of the device's own web page; None without an IP address."""
    try:
        address = ipaddress.ip_address(device.address or "")
    except ValueError:
        return None
    if address.version == 6 and "%" in str(address):
        return None  # A link-local address means nothing in another machine's browser.
    port = _port(device)
    host = f"[{address}]" if address.version == 6 else str(address)
    scheme = "https" if port in TLS_PORTS else "http"
    is_usual = port in (None, 443 if scheme == "https" else 80)
    return f"{scheme}://{host}/" if is_usual else f"{scheme}://{host}:{port}/"


def _port(device: Device) -> int | None:
    """The port of its web page, where a source knows it."""
    for source, facts in sorted(device.facts.items()):
        port = facts.get(WEB_PORTS.get(source, "http_port"))
        if type(port) is int and 0 < port < 65536:
            return port
    return None
