"""What an idle connection costs a server: opens connections, makes one call on each, keeps them
open, and prints the kilobytes by which the server's resident memory has grown, a connection.

    memory.py PORT SERVER_PID COUNT BODY [--tls]

Connections are opened one after the other, so that it is the memory of idle ones that is seen, not
that of a rush. BODY is a request behind gRPC's five-byte prefix, to bench.v1.Bench/Unary.
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


HEAD = b"".join(
    literal(name, value)
    for name, value in [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/bench.v1.Bench/Unary"),
        (b":authority", b"127.0.0.1"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
)


def receive(connection, count):
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise SystemExit("the server closed a connection")
        parts += part
    return bytes(parts)


def opened(port, body, context):
    connection = socket.create_connection(("127.0.0.1", port))
    if context:
        connection = context.wrap_socket(connection, server_hostname="localhost")
    connection.sendall(
        PREFACE
        + frame(SETTINGS, 0, 0)
        + frame(HEADERS, END_HEADERS, 1, HEAD)
        + frame(DATA, END_STREAM, 1, body)
    )
    while True:
        head = receive(connection, 9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        receive(connection, length)
        if kind == SETTINGS and not flags & 1:
            connection.sendall(frame(SETTINGS, 1, 0))
        if kind == HEADERS and flags & END_STREAM:
            return connection


def resident(process):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def main():
    port, process, count = (int(word) for word in sys.argv[1:4])
    body = pathlib.Path(sys.argv[4]).read_bytes()
    context = None
    if "--tls" in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept = [opened(port, body, context) for _ in range(WARM_UP)]
    before = resident(process)
    kept += [opened(port, body, context) for _ in range(count)]
    print(f"{(resident(process) - before) / count:.1f}")


main()
