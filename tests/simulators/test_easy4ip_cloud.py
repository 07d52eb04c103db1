"""The pretend Easy4IP cloud as a whole: size, ports, and its command."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from simulators.easy4ip import fleet
from tests.simulators.easy4ip_client import LIMIT, ROOT, SERIALS, cloud_of, request_bytes


def test_fifty_thousand_serials_are_told_apart_and_a_burst_is_not_lost(client):
    recorders = fleet(50_000)
    assert len({recorder.serial for recorder in recorders}) == 50_000
    with cloud_of(*recorders, servers=8) as cloud:
        for start in range(0, 50_000, 10_000):
            burst = {
                client.send(cloud.main, f"/online/p2psrv/{recorder.serial}"): recorder
                for recorder in recorders[start : start + 100]
            }
            for _ in burst:
                heard = client.hear()
                server = cloud.regions[burst[heard.cseq].server]
                assert heard.us == f"127.0.0.1:{server.port}"
        assert (cloud.faults, cloud.asked_foreign) == ([], {})


def test_a_stopped_cloud_frees_its_ports_and_comes_back_where_it_was(client, recorder):
    cloud = cloud_of(recorder)
    with cloud:
        ports = [server.port for server in cloud.servers]
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", port))
    with cloud:
        assert [server.port for server in cloud.servers] == ports
        assert client.lookup(cloud).code == 200


def test_every_server_is_on_loopback_only(cloud):
    assert {server.socket.getsockname()[0] for server in cloud.servers} == {"127.0.0.1"}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_answers_until_it_is_told_to_end(client, ending):
    command = [sys.executable, "-m", "simulators.easy4ip", "--count", "60", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        main = ("127.0.0.1", int(process.stdout.readline()))
        codes = []
        for serial in SERIALS[:61]:
            client.socket.sendto(request_bytes(f"/online/p2psrv/{serial}", at=time.time()), main)
            codes.append(client.hear().code)
        assert codes.count(404) == 3 + 1  # one in twenty is offline, the 61st is nobody's
    finally:
        os.kill(process.pid, ending)
        output, complaints = process.communicate(timeout=LIMIT)
    assert (process.returncode, output, complaints) == (0, "", "")
