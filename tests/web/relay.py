"""Passes TCP connections on as another user: usage relay.py UID FROM-PORT TO-PORT [close].

With `close` it does not wait for the answer: it sends what it got and is gone.
"""

# Now: another user may not be able to read Python's own files.
import encodings.idna  # noqa: F401
import os
import socket
import sys
from threading import Thread


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has gone


def serve(client: socket.socket, port: int, is_hasty: bool) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as monitor:
        if is_hasty:
            monitor.sendall(client.recv(65536))
            return
        back = Thread(target=copy, args=(monitor, client))
        back.start()
        copy(client, monitor)
        back.join()


def main(uid: int, listen_port: int, port: int, *more: str) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    with socket.create_server(("127.0.0.1", listen_port)) as listener:
        while True:
            client, _address = listener.accept()
            Thread(target=serve, args=(client, port, bool(more)), daemon=True).start()


main(*map(int, sys.argv[1:4]), *sys.argv[4:])
