"""What an idle connection costs a server: opens connections, makes one call on each, keeps them
open, and prints the kilobytes by which the server's resident memory has grown, a connection.

    memory.py PORT SERVER_PID[,PID…] COUNT BODY [--tls] [--streams KEY]

Connections are opened one after the other, so that it is the memory of idle ones that is seen, not
that of a rush. BODY is a request behind gRPC's five-byte prefix, to bench.v1.Bench/Unary. With
--streams it is the first message of a call of bench.v1.Bench/Bidi that stays open, with KEY as its
x-api-key: then what is seen is an idle stream. The memory of several processes is added up.
"""

import pathlib
import resource
import socket
import ssl
import struct
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
WARM_UP = 200


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def head(path, key):
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"127.0.0.1"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    if key:
        fields.append((b"x-api-key", key))
    return b"".join(literal(name, value) for name, value in fields)


def receive(connection, count):
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise SystemExit("the server closed a connection")
        parts += part
    return bytes(parts)


def opened(port, body, context, key):
    """A connection whose call has ended; with a key, one whose call has been answered once."""
    path = b"/bench.v1.Bench/Bidi" if key else b"/bench.v1.Bench/Unary"
    connection = socket.create_connection(("127.0.0.1", port))
    if context:
        connection = context.wrap_socket(connection, server_hostname="localhost")
    connection.sendall(
        PREFACE
        + frame(SETTINGS, 0, 0)
        + frame(HEADERS, END_HEADERS, 1, head(path, key))
        + frame(DATA, 0 if key else END_STREAM, 1, body)
    )
    while True:
        prefix = receive(connection, 9)
        length, kind, flags = int.from_bytes(prefix[:3], "big"), prefix[3], prefix[4]
        receive(connection, length)
        if kind == SETTINGS and not flags & 1:
            connection.sendall(frame(SETTINGS, 1, 0))
        if kind == HEADERS and flags & END_STREAM:
            if key:
                raise SystemExit("the server ended a stream")
            return connection
        if kind == DATA and key:
            return connection


def resident(processes):
    total = 0
    for process in processes:
        lines = pathlib.Path(f"/proc/{process}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return total


def main():
    port, count = int(sys.argv[1]), int(sys.argv[3])
    processes = sys.argv[2].split(",")
    key = None
    if "--streams" in sys.argv:
        key = sys.argv[sys.argv.index("--streams") + 1].encode()
    body = pathlib.Path(sys.argv[4]).read_bytes()
    context = None
    if "--tls" in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept = [opened(port, body, context, key) for _ in range(WARM_UP)]
    before = resident(processes)
    kept += [opened(port, body, context, key) for _ in range(count)]
    print(f"{(resident(processes) - before) / count:.1f}")


main()
