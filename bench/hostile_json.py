"""The attacks on the JSON face of a gateway, in HTTP/1.1 unless said otherwise; hostile_attacks.py
says what an attack is.
"""

import contextlib
import functools
import itertools
import re

from hostile import *  # noqa: F403: frames by name
from hostile_attacks import CHUNK, repeated, streams


def _post(siege, *lines):
    """The head of a request that has a body."""
    fields = [f"{name}: {value}" for name, value in siege.place.fields]
    lines = ["POST /v1/enrollments HTTP/1.1", "host: localhost", *fields, *lines, "", ""]
    return "\r\n".join(lines).encode()


def _posts(siege, body):
    """Whole requests, one behind the other."""
    return repeated(_post(siege, f"content-length: {len(body)}") + body)


def _web(siege):
    return functools.partial(siege.connect, "http/1.1")


# A length and a coding that contradict each other: two parsers see different requests.
_AMBIGUOUS = (
    "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 200\r\n\r\n0\r\n\r\n",
    "transfer-encoding: identity\r\ncontent-length: 0\r\n\r\n",
    "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "content-length: 0\r\ncontent-length: 5\r\n\r\n",
    "content-length: +0\r\n\r\n",
)


def smuggled_requests(siege):
    """Ambiguous requests with another one behind them, which must not be answered."""
    hidden = b"GET /v1/regions/110000 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    head = _post(siege)[: -len("\r\n")]
    for ambiguous in itertools.cycle(_AMBIGUOUS):
        if not siege.goes_on:
            return
        with contextlib.closing(siege.connect("http/1.1")) as connection:
            siege.count("connections")
            answers = b""
            with contextlib.suppress(OSError):
                connection.sendall(head + ambiguous.encode() + hidden)
                answers = connection.recv(1 << 16)
                connection.settimeout(0.01)
                while chunk := connection.recv(1 << 16):
                    answers += chunk
            statuses = re.findall(rb"HTTP/1\.1 (\d+)", answers)
            siege.count("smuggled" if statuses[1:] else statuses[0].decode() if statuses else "cut")


def stated_bodies(siege):
    """A body of a terabyte by its head."""
    siege.flood(_post(siege, f"content-length: {1 << 40}"), b" " * CHUNK, opens=_web(siege))


def chunked_bodies(siege):
    """A body without end, in chunks."""
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    siege.flood(_post(siege, "transfer-encoding: chunked"), repeated(chunk), opens=_web(siege))


def chunk_framing(siege):
    """Chunks of a byte, most of which is framing."""
    chunk = b"1;" + b"x" * 100 + b"\r\n \r\n"
    siege.flood(_post(siege, "transfer-encoding: chunked"), repeated(chunk), opens=_web(siege))


def oversized_streams(siege):
    """HTTP/2 requests with the beginning of a gigabyte."""
    fields = siege.fields(
        "", _path="/v1/enrollments", content_type="application/json", content_length=str(1 << 30)
    )
    body = bytes(1_024)
    attack = streams(lambda siege, i: siege.head(i, fields) + frame(DATA, 0, i, body), 2_000)
    attack(siege)


def slow_bodies(siege):
    def each(connection, is_new):
        connection.sendall(_post(siege, "content-length: 1000") + b"{" if is_new else b" ")

    siege.hold(300, each, 0.5, opens=_web(siege))


def held_bodies(siege):
    """Bodies of 4 MiB but for their last byte."""
    length = 4 << 20
    body = _post(siege, f"content-length: {length}") + b" " * (length - 1)

    def each(connection, is_new):
        if is_new:
            connection.sendall(body)

    siege.hold(200, each, opens=_web(siege))


def bad_json(siege):
    siege.flood(b"", _posts(siege, b'{"application":}'), opens=_web(siege))


def deep_json(siege):
    siege.flood(b"", _posts(siege, b'{"application":' * 4_000), opens=_web(siege))


def many_wrong_fields(siege):
    fields = ",".join(f'"x{number}":1' for number in range(1_000))
    siege.flood(b"", _posts(siege, b"{%s}" % fields.encode()), opens=_web(siege))


# Every attack, by the name of its function.
_NAMES = (
    "smuggled_requests stated_bodies chunked_bodies chunk_framing oversized_streams slow_bodies "
    "held_bodies bad_json deep_json many_wrong_fields"
).split()
ATTACKS = {name: globals()[name] for name in _NAMES}
