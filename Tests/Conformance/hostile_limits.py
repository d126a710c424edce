"""Limits at their edges: field blocks, SETTINGS, windows, messages; and streams of long ago."""

import gzip
import zlib

from hostile import *  # noqa: F403: the vocabulary of the tables
from hostile_moves import *  # noqa: F403


def in_frames(raw, size, stream=1):
    """A field block in frames of that size."""
    parts = [raw[i : i + size] for i in range(0, len(raw), size)] or [b""]
    kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
    flags = [0] * (len(parts) - 1) + [END_HEADERS]
    return [frame(k, f, stream, part) for k, f, part in zip(kinds, flags, parts, strict=True)]


def _block(raw, size=16_000):
    return whole(*in_frames(raw, size))


def _pieces(count):
    """A call's field block in HEADERS and that many CONTINUATION frames, most of them empty."""
    empty = [frame(CONTINUATION, 0, 1)] * (count - 1)
    return whole(
        frame(HEADERS, 0, 1, block(request())), *empty, frame(CONTINUATION, END_HEADERS, 1)
    )


def huffman_of_a(count):
    """The letter a that often, in its Huffman code of five bits (RFC 7541, appendix B)."""
    assert count % 8 == 0
    code = int("00011" * 8, 2).to_bytes(5, "big") * (count // 8)
    return integer(len(code), 7, 0x80) + code


def _list_of(size):
    """A head of that size, by the rule of SETTINGS_MAX_HEADER_LIST_SIZE."""
    fields = request()
    used = sum(len(name) + len(value) + 32 for name, value in fields)
    return fields + [("x-a", "y" * (size - used - 35))]


_HEAD = block(request())

BLOCKS = (
    [
        Case(f"a field block in frames of {size} bytes", "9113 6.10", _block(_HEAD, size), OK)
        for size in (1, 5, 20)
    ]
    + [
        Case("256 CONTINUATION frames", "9113 6.10", _pieces(256), OK),
        Case("257 CONTINUATION frames", "9113 10.5", _pieces(257), goaway(CALM)),
    ]
    + [
        Case(
            f"a value of {count} bytes",
            "9113 10.5.1",
            _block(block(request(add=[("x-big", "y" * count)]))),
            want,
        )
        for count, want in [
            (15_000, OK),
            (20_000, http(431)),
            (60_000, http(431)),
            (66_000, goaway(CALM)),
            (300_000, goaway(CALM)),
        ]
    ]
    + [
        Case(
            "a name of 70000 bytes",
            "9113 10.5.1",
            _block(block(request(add=[("x" * 70_000, "y")]))),
            goaway(CALM),
        ),
        Case(
            "a value of 110000 bytes in Huffman coding",
            "9113 10.5.1",
            _block(_HEAD + b"\x00\x03x-a" + huffman_of_a(110_000)),
            goaway(CALM),
        ),
        Case(
            "a value of 80000 bytes in Huffman coding",
            "9113 10.5.1",
            _block(_HEAD + b"\x00\x03x-a" + huffman_of_a(80_000)),
            http(431),
        ),
        Case(
            "fields of 70000 bytes together",
            "9113 10.5.1",
            _block(block(request(add=[(f"x-{i}", "y" * 7000) for i in range(10)]))),
            goaway(CALM),
        ),
        Case("a list of 16384 bytes", "9113 10.5.1", _block(block(_list_of(16_384))), OK),
        Case("a list of 16385 bytes", "9113 10.5.1", _block(block(_list_of(16_385))), http(431)),
        Case(
            "128 fields",
            "9113 10.5.1",
            _block(block(request(add=[(f"x-{i}", "y") for i in range(122)]))),
            OK,
        ),
        Case(
            "129 fields",
            "9113 10.5.1",
            _block(block(request(add=[(f"x-{i}", "y") for i in range(123)]))),
            http(431),
        ),
    ]
)

SETTING_COUNTS = [
    Case(
        f"{count} settings in a frame",
        "9113 6.5",
        lambda p, count=count: p.send(settings(*[(0x50, 1)] * count)),
        ALIVE,
        None,
    )
    for count in (33, 100, 2730)
]

_TOP = 0x7FFFFFFF
_START = 65_535


def _overrun(p):
    """Streams that are not read, until the connection's window is exceeded."""
    streams = [2 * i + 1 for i in range(70)]
    p.send(*[call_head(stream) for stream in streams])
    p.send(*[frame(DATA, 0, stream, PAUSE) for stream in streams])
    p.ping()
    part = message(b"", length=16379) + bytes(16379)
    for stream in streams:
        p.send(*[frame(DATA, 0, stream, part)] * 15)


WINDOW_EDGES = [
    Case(
        "the connection's largest window",
        "9113 6.9.1",
        lambda p: (p.send(window_update(0, _TOP - _START)), p.call()),
        OK,
    ),
    Case(
        "the connection's largest window and one",
        "9113 6.9.1",
        lambda p: p.send(window_update(0, _TOP - _START + 1)),
        goaway(FLOW),
    ),
    Case(
        "a stream's largest window",
        "9113 6.9.1",
        lambda p: (
            p.open(1, "UnaryCall"),
            p.send(window_update(1, _TOP - _START)),
            p.data(1, EMPTY_MESSAGE),
        ),
        OK,
    ),
    Case(
        "a stream's largest window and one",
        "9113 6.9.1",
        on(open_stream, window_update(1, _TOP - _START + 1)),
        reset(FLOW),
    ),
    Case(
        "WINDOW_UPDATE of 0 on a half-closed stream",
        "9113 6.9",
        on(half, window_update(1, 0)),
        reset(PROTOCOL),
    ),
    Case(
        "the window of a half-closed stream overflows",
        "9113 6.9.1",
        on(half, window_update(1, _TOP), window_update(1, _TOP)),
        reset(FLOW),
    ),
    Case("more DATA than the connection's window", "9113 6.9.1", _overrun, goaway(FLOW), 139),
]


def _calls(count, step, first):
    def run(p):
        streams = [step * i + first for i in range(count)]
        for stream in streams:
            p.call(stream)
        for stream in streams:
            p.outcome(stream)
        p.answers.clear()

    return run


# More streams than the server remembers the ends of.
_MANY = _calls(300, 2, 1)
_WITH_GAPS = _calls(300, 4, 3)

LONG_AGO = [
    Case("HEADERS on a stream of long ago", "9113 5.1", on(_MANY, call_head(1)), goaway(CLOSED)),
    Case(
        "DATA on a stream of long ago",
        "9113 5.1",
        on(_MANY, frame(DATA, END_STREAM, 1, b"x")),
        reset(CLOSED),
    ),
    Case(
        "HEADERS on an identifier skipped long ago",
        "9113 5.1.1",
        on(_WITH_GAPS, call_head(5)),
        goaway(CLOSED),
        5,
    ),
    Case(
        "DATA on an identifier skipped long ago",
        "9113 5.1.1",
        on(_WITH_GAPS, frame(DATA, END_STREAM, 5, b"x")),
        reset(CLOSED),
        5,
        True,
        2001,
    ),
    Case(
        "RST_STREAM, WINDOW_UPDATE and PRIORITY on a stream of long ago",
        "9113 5.1",
        on(_MANY, rst(1), window_update(1, 9), frame(PRIORITY, 0, 1, dependency(0))),
        ALIVE,
        None,
    ),
]


def _unary_of(size):
    """A unary request of that many bytes, sent as the server's windows allow."""
    payload = size - 10
    inner = b"\x12" + integer_varint(payload) + bytes(payload)
    body = b"\x1a" + integer_varint(len(inner)) + inner
    assert len(body) == size, len(body)
    return body


def integer_varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _send_all(p):
    body = message(_unary_of(4 << 20))
    p.headers(1, request())
    sent = 0
    while sent < len(body):

        def room(sent=sent):
            windows = [p.windows.get(0, 0) + _START, p.windows.get(1, 0) + p.settings[WINDOW_SIZE]]
            return min(16_384, min(windows) - sent, len(body) - sent)

        p.until(lambda: room() > 0 or p.answered(1))
        count = room()
        assert count > 0, "the server grants no window"
        sent += count
        p.data(1, body[sent - count : sent], END_STREAM if sent == len(body) else 0)


def _packed(name, body, want, encoding="gzip", flag=1):
    return Case(
        f"{encoding}: {name}",
        "PROTOCOL-HTTP2",
        lambda p: p.call(1, message(body, flag), grpc_encoding=encoding),
        want,
    )


_GOOD = b"\x10\x05"
_GZIP = gzip.compress(_GOOD)
_ZLIB = zlib.compress(_GOOD)

MESSAGE_EDGES = [
    Case("a message of exactly the limit", "PROTOCOL-HTTP2", _send_all, OK),
    _packed("good", _GZIP, OK),
    _packed("not compressed", _GOOD, OK, flag=0),
    _packed("a wrong checksum", _GZIP[:-8] + bytes(4) + _GZIP[-4:], grpc(13)),
    _packed("a wrong length", _GZIP[:-4] + bytes(4), grpc(13)),
    _packed("cut short", _GZIP[:-4], grpc(13)),
    _packed("bytes behind", _GZIP + b"xx", grpc(13)),
    _packed("nothing at all", b"", grpc(13)),
    _packed("more than the limit", gzip.compress(bytes(8 << 20)), grpc(8)),
    _packed("good", _ZLIB, OK, "deflate"),
    _packed("a wrong checksum", _ZLIB[:-1] + b"\0", grpc(13), "deflate"),
]

LIMIT_CASES = BLOCKS + SETTING_COUNTS + WINDOW_EDGES + LONG_AGO + MESSAGE_EDGES
