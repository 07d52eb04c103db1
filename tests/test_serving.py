"""Where the server listens, and what it says when it cannot start."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import serving
from settings import Settings
from tests.home import ROOT, Running, until


def answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 30) as sock:
            sock.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 OK" in sock.recv(100)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("::1", ["::1"]), ("[::1]", ["::1"]), ("::", ["::1", "127.0.0.1"])],
)
def test_it_listens_on_ipv6(tmp_path: Path, host: str, addresses: list[str]) -> None:
    monitor = Running(tmp_path, HOST=host)
    monitor.spawn()
    try:
        for address in addresses:
            until(lambda address=address: answers(address, monitor.port), what=monitor.text())
        assert (
            f"http://{'localhost' if host == '::' else '[::1]'}:{monitor.port}\n" in monitor.text()
        )
    finally:
        monitor.kill()


def test_an_ipv6_address_of_another_machine_is_a_sentence(tmp_path: Path) -> None:
    monitor = Running(tmp_path, HOST="2001:db8::1")
    assert monitor.spawn().wait(30) != 0
    assert f"cannot listen on 2001:db8::1 port {monitor.port}" in monitor.text()
    assert "Traceback" not in monitor.text()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_something_else_in_the_place_of_the_command_socket_is_a_sentence(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    monitor = Running(tmp_path)
    (tmp_path / "data").mkdir()
    place = tmp_path / "data" / "control.sock"
    make(place)
    assert monitor.spawn().wait(30) != 0
    assert monitor.text().count("\n") == 1
    assert f"{place} is not a socket" in monitor.text()
    assert place.exists()


def test_the_command_socket_of_an_older_version_is_removed(tmp_path: Path) -> None:
    former, link, file = (tmp_path / name for name in ("house.sock", "link", "file"))
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(former))
    link.symlink_to(former)
    file.touch()
    for path in (link, file, tmp_path, tmp_path / "nothing"):
        serving.remove_former_socket(path)
    assert {path.name for path in tmp_path.iterdir()} >= {"house.sock", "link", "file"}
    serving.remove_former_socket(former)
    assert not former.exists()


def test_a_read_only_root_without_tmp_is_enough(tmp_path: Path, netns: None) -> None:
    """As `docker run --read-only` with a volume at DATA_DIR and nothing else to write to."""
    monitor = Running(tmp_path)
    script = f"""
        set -e
        mount -t tmpfs tmpfs {tmp_path}
        mount --bind / /
        mount -o remount,ro,bind /
        for folder in /tmp /var/tmp /usr/tmp; do
            if mountpoint -q $folder; then mount -o remount,ro,bind $folder; fi
        done
        cd {ROOT}
        touch /tmp/x 2>/dev/null && {{ echo "/tmp can be written"; exit 1; }}
        exec {sys.executable} app.py
    """
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script],
        env=monitor.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: process.poll() is not None or answers("127.0.0.1", monitor.port))
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert monitor.get("/").status == 200
    finally:
        process.terminate()
        process.communicate(timeout=30)


NETWORKS = """
set -e
ip link set lo up
for number in 1 2 3; do
  ip link add net$number type veth peer name far$number
  ip addr add 10.77.$number.5/24 dev net$number
  ip link set net$number up
  ip link set far$number up
done
%s
exec %s -c "import serving; print(serving.addresses('%s'))"
"""


@pytest.mark.parametrize(
    ("routes", "host", "addresses"),
    [
        ("ip route add default via 10.77.2.1", "0.0.0.0", ["10.77.2.5", "10.77.1.5", "10.77.3.5"]),
        ("ip route add default via 10.77.3.1", "::", ["10.77.3.5", "10.77.1.5", "10.77.2.5"]),
        ("", "0.0.0.0", ["10.77.1.5", "10.77.2.5", "10.77.3.5"]),
        ("ip addr flush scope global", "0.0.0.0", ["localhost"]),
        ("", "10.77.2.5", ["10.77.2.5"]),
        ("", "127.0.0.1", ["localhost"]),
    ],
)
def test_the_address_of_the_main_interface_comes_first(
    routes: str, host: str, addresses: list[str]
) -> None:
    script = NETWORKS % (routes, sys.executable, host)
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.strip() == str(addresses)


def test_the_start_prints_the_link_with_an_address_and_what_to_do_next() -> None:
    text = serving.banner(Settings(host="192.0.2.10"), "a-key")
    assert "\nhttp://192.0.2.10:5000/setup?key=a-key\n" in text
    assert "No account exists yet. Open this link on any computer that can reach it" in text
    assert "Then scan the network, add a camera, or upload a workbook of recorders." in text
    assert "\nWeb server: http://192.0.2.10:5000\n" in text
    local = serving.banner(Settings(host="127.0.0.1"), "a-key")
    assert "Open this link on this server" in local
    assert "http://localhost:5000/setup?key=a-key" in local
    assert "setup" not in serving.banner(Settings(host="127.0.0.1"), "")
