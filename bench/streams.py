"""Readers of the event stream in a process of their own.

    python -m bench.streams PORT COUNT

It says "open" when all have their first bytes, reads until its input ends, and then says how
many messages it read.
"""

import selectors
import socket
import sys

REQUEST = b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


def main(port: int, count: int) -> None:
    messages = 0
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            # One address has a share of the streams, so they come from several.
            source = (f"127.0.0.{1 + number % 4}", 0)
            sock = socket.create_connection(("127.0.0.1", port), source_address=source)
            sock.sendall(REQUEST)
            if not sock.recv(65536).startswith(b"HTTP/1.1 200"):
                sys.exit("the house refused a stream")
            selector.register(sock, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("open", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    print(messages, flush=True)
                    return
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65536)
                if not data:
                    sys.exit("the house closed a stream")
                messages += data.count(b"\ndata: ")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
