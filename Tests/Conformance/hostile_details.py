"""Rules of HTTP/2 that the other tables show by one example, in their further forms."""

from hostile import *  # noqa: F403: the vocabulary of the tables
from hostile_moves import *  # noqa: F403

_HEAD = block(request())
_BODY = frame(DATA, END_STREAM, 1, EMPTY_MESSAGE)
_CALL = frame(HEADERS, END_HEADERS, 1, _HEAD) + _BODY
_THIRD = frame(HEADERS, END_HEADERS, 3, _HEAD) + frame(DATA, END_STREAM, 3, EMPTY_MESSAGE)
_TRAILERS = block([("a", "b")])
_TOP = 0x7FFFFFFF
_LAST = END_HEADERS | END_STREAM


def _cases(source, want, rows, before=None, stream=1, greets=True, next_stream=1001):
    """Cases of one rule: each sends its bytes, to a stream that `before` has brought somewhere."""
    return [
        Case(
            name,
            source,
            on(before, raw) if before else lambda p, raw=raw: p.send(raw),
            want,
            stream,
            greets,
            next_stream,
        )
        for name, raw in rows
    ]


def _raw(*parts, flags=END_HEADERS, kind=HEADERS, stream=1):
    return frame(kind, flags, stream, b"".join(parts))


PREFACES = _cases(
    "9113 3.4",
    goaway(PROTOCOL),
    [
        ("preface is a long request of HTTP/1.1", b"GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n" * 9),
        ("preface is text that is a long frame", b"X" * 64),
        ("preface is missing", settings() + _CALL),
        ("preface is that of TLS", b"\x16\x03\x01\0\x4a\x01\0\0\x46\x03\x03" + bytes(80)),
        ("preface is wrong and frames follow", b"X" + PREFACE[1:] + settings() + _CALL * 40),
        ("no SETTINGS after the preface, but DATA", PREFACE + frame(DATA, 0, 1, b"x")),
    ],
    greets=False,
) + [
    Case(
        f"a wrong setting {number} with the preface",
        "9113 6.5.2",
        greeting(PREFACE, settings((number, value)), _CALL),
        goaway(code),
        1,
        False,
    )
    for number, value, code in [(ENABLE_PUSH, 7, 1), (WINDOW_SIZE, 1 << 31, 3), (FRAME_SIZE, 1, 1)]
]

LENGTHS = (
    _cases(
        "9113 6",
        goaway(SIZE),
        [
            (f"{name} of only {count} bytes", frame(kind, flags, stream, bytes(count)))
            for name, kind, flags, stream, counts in [
                ("WINDOW_UPDATE on a stream", WINDOW_UPDATE, 0, 1, (0, 3)),
                ("WINDOW_UPDATE on the connection", WINDOW_UPDATE, 0, 0, (0, 1)),
                ("RST_STREAM", RST_STREAM, 0, 1, (0, 1)),
                ("SETTINGS", SETTINGS, 0, 0, (1, 3, 11)),
                ("GOAWAY", GOAWAY, 0, 0, (0, 4)),
                ("PING", PING, 0, 0, (1, 6)),
                ("HEADERS with a priority", HEADERS, END_HEADERS | PRIORITIZED, 3, (0, 1, 4)),
            ]
            for count in counts
        ]
        + [
            (f"{name} of as much as {count} bytes", frame(kind, 0, stream, bytes(count)))
            for name, kind, stream, count in [
                ("WINDOW_UPDATE on a stream", WINDOW_UPDATE, 1, 8),
                ("WINDOW_UPDATE on the connection", WINDOW_UPDATE, 0, 5),
                ("PING", PING, 0, 16),
                ("PING", PING, 0, 16_385),
                ("GOAWAY", GOAWAY, 0, 16_385),
                ("an unknown frame on a stream", 0x77, 1, 16_385),
            ]
        ]
        + [("a length of 2^24-1", frame(DATA, 0, 1, length=0xFFFFFF))],
        before=open_stream,
    )
    + _cases(
        "9113 6.3",
        reset(SIZE),
        [
            ("PRIORITY of 0 bytes", frame(PRIORITY, 0, 1)),
            ("PRIORITY of 10 bytes", frame(PRIORITY, 0, 1, dependency(0) * 2)),
        ],
        before=open_stream,
    )
    + _cases(
        "9113 6.3",
        reset(SIZE),
        [
            (f"PRIORITY of {n} bytes on a half-closed stream", frame(PRIORITY, 0, 1, bytes(n)))
            for n in (4, 6)
        ],
        before=half,
    )
    + _cases(
        "9113 6.1",
        goaway(PROTOCOL),
        [
            ("DATA that is only a padding too long", padded(1, 0, b"", DATA, 0, 1)),
            ("trailers whose padding is too long", padded(1, 0, b"abc", HEADERS, _LAST, 9)),
        ],
        before=open_stream,
    )
    + _cases(
        "9113 6.2",
        OK,
        [
            (
                "padding and priority",
                padded(1, 16, dependency(0) + _HEAD, flags=END_HEADERS | PRIORITIZED) + _BODY,
            ),
            (
                "padding that is not zero",
                _raw(b"\x03", _HEAD, b"abc", flags=END_HEADERS | PADDED) + _BODY,
            ),
        ],
    )
)

PLACES = (
    _cases(
        "9113 5.1.1",
        goaway(PROTOCOL),
        [
            ("RST_STREAM on an even stream", rst(2)),
            ("WINDOW_UPDATE on an even stream", window_update(2, 1)),
            ("CONTINUATION on an even stream", frame(CONTINUATION, END_HEADERS, 2, _HEAD)),
            ("an even identifier above one used", _raw(_HEAD, stream=4)),
            ("RST_STREAM above the streams used", rst(9)),
            ("WINDOW_UPDATE above the streams used", window_update(9, 1)),
            ("DATA above the streams used", frame(DATA, 0, 9, b"x")),
            ("an answer to PING on a stream", frame(PING, ACK, 1, bytes(8))),
            ("WINDOW_UPDATE of 0 with the reserved bit", window_update(0, 1 << 31)),
            (
                "a GOAWAY that takes more than the last",
                frame(GOAWAY, 0, 0, bytes(8)) + frame(GOAWAY, 0, 0, b"\0\0\0\2" + bytes(4)),
            ),
            ("PUSH_PROMISE of an odd stream", _raw(b"\0\0\0\3", _HEAD, kind=PUSH_PROMISE)),
        ],
        before=open_stream,
    )
    + _cases(
        "9113 8.4",
        goaway(PROTOCOL),
        [("PUSH_PROMISE on a half-closed stream", _raw(b"\0\0\0\2", _HEAD, kind=PUSH_PROMISE))],
        before=half,
    )
    + _cases(
        "9113 8.4",
        goaway(PROTOCOL),
        [
            (
                "PUSH_PROMISE of a client that allows it itself",
                settings((ENABLE_PUSH, 1)) + _raw(b"\0\0\0\2", _HEAD, kind=PUSH_PROMISE),
            ),
            (
                "an identifier behind the largest",
                call_head(2**31 - 1) + call_head(1),
            ),
        ],
    )
    + _cases(
        "9113 6.10",
        goaway(PROTOCOL),
        [
            (f"{name} inside a field block", split_head(2)[0] + raw)
            for name, raw in [
                ("an acknowledgement of SETTINGS", settings(flags=ACK)),
                ("PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4))),
                ("WINDOW_UPDATE of the stream", window_update(1, 1)),
                ("an unknown frame of the connection", frame(0x77, 0, 0)),
            ]
        ],
    )
    + [
        Case(f"{name} of {kind:#x}", "9113 5.5", greeting(*frames), OK)
        # ALTSVC, ORIGIN and PRIORITY_UPDATE are no concern of a server's.
        for kind in (0x0A, 0x0C, 0x10, 0xFF)
        for name, frames in [
            ("an extension frame", [frame(kind, 255, 0, bytes(8)), _CALL]),
            ("an extension frame in a call", [_CALL[: -len(_BODY)], frame(kind, 255, 1), _BODY]),
        ]
    ]
    + _cases(
        "9113 5.1",
        ALIVE,
        [
            ("RST_STREAM without an error", call_head() + rst(1, 0)),
            ("RST_STREAM of an unknown error", call_head() + rst(1, 0xFFFFFFFF)),
            ("PRIORITY on an even stream", frame(PRIORITY, 0, 2, dependency(0))),
            ("WINDOW_UPDATE after RST_STREAM", call_head() + rst(1) + window_update(1, 9)),
            ("RST_STREAM on a skipped stream", call_head(9) + rst(3) + window_update(5, 1)),
        ],
        stream=None,
    )
)

SETTING_VALUES = [
    Case(
        f"a wrong setting {number} before a right one",
        "9113 6.5.3",
        lambda p, s=settings((number, wrong), (number, right)): p.send(s),
        goaway(code),
    )
    for number, wrong, right, code in [
        (ENABLE_PUSH, 2, 0, PROTOCOL),
        (WINDOW_SIZE, 1 << 31, 65_535, FLOW),
        (FRAME_SIZE, 16_383, 16_384, PROTOCOL),
    ]
] + [
    Case(f"settings of {pairs}", "9113 6.5.2", greeting(settings(*pairs), _CALL), OK)
    for pairs in [
        [(TABLE_SIZE, 0xFFFFFFFF)],
        [(TABLE_SIZE, 0), (TABLE_SIZE, 4096)],
        [(MAX_STREAMS, 0)],
        [(HEADER_LIST, 1)],
        [(WINDOW_SIZE, _TOP)],
        [(8, 1)],
    ]
]


def _bytes_for(p, wanted, what):
    """The server sends that much of a response, and nothing more."""
    assert p.until(lambda: p.received.get(1, 0) >= wanted), what
    p.ping()
    assert p.received[1] == wanted, f"{what}: {p.received[1]} bytes, not {wanted}"


def _negative_window(p):
    p.send(settings((WINDOW_SIZE, 1000)))
    p.call(1, message(b"\x10\x88\x27"))  # response_size: 5000
    _bytes_for(p, 1000, "a window of 1000")
    p.send(settings((WINDOW_SIZE, 0)), window_update(1, 900))
    _bytes_for(p, 1000, "a window of -100")
    p.send(window_update(1, 200))
    _bytes_for(p, 1100, "a window of 100")
    p.send(settings((WINDOW_SIZE, 65_535)))


def _connection_window(p):
    p.send(settings((WINDOW_SIZE, 1 << 20)))
    p.call(1, message(b"\x10\xc0\x9a\x0c"))  # response_size: 200,000
    _bytes_for(p, 65_535, "the connection's window")
    p.send(window_update(0, 1 << 20))


def _late_data(p):
    """DATA under way for a call that the server has ended takes none of the window for good."""
    refused_early(p)
    p.until(lambda: 1 in p.resets)
    part, sent = bytes(16_384), 0
    while sent < 9 << 20:
        assert p.until(lambda: 65_535 + p.windows.get(0, 0) - sent >= len(part)), "no credit"
        p.data(1, part, 0)
        sent += len(part)
    p.call(3)


WINDOWS = [
    Case("a negative window is obeyed", "9113 6.9.2", _negative_window, OK),
    Case("the connection's window is obeyed", "9113 6.9.1", _connection_window, OK),
    Case("late DATA gives its credit back", "9113 5.1", _late_data, OK, 3),
]

COMPRESSION_CASES = (
    _cases(
        "7541",
        goaway(COMPRESSION),
        [
            (name, _raw(_HEAD, raw, flags=END_HEADERS | END_STREAM))
            for name, raw in [
                ("the first index of an empty table", b"\xbe"),
                ("an index of 2^31", integer(1 << 31, 7, 0x80)),
                ("a name's index too large, not to be kept", integer(70, 4) + b"\x01a"),
                ("a name's index too large, never to be kept", integer(70, 4, 0x10) + b"\x01a"),
                ("an index without its end", b"\xff"),
                ("a length without its end", b"\x00\x7f\xff"),
                ("a length of 2^32", b"\x00" + integer(1 << 32, 7) + b"a"),
                ("a length of 1 MiB", b"\x00" + integer(1 << 20, 7) + b"a"),
                ("Huffman coding of nothing but padding", b"\x00\x01a\x81\xff"),
                ("the end-of-string symbol in a name", b"\x00\x84\xff\xff\xff\xff\x01a"),
                ("a table size at the end", integer(4096, 5, 0x20)),
                ("a name in capitals, then index 0", literal("A", "b") + b"\x80"),
            ]
        ]
        + [
            ("a table size that overflows", _raw(b"\x3f" + b"\xff" * 9 + b"\x7f", _HEAD)),
            ("a table size between fields", _raw(_HEAD[:16], integer(9, 5, 0x20), _HEAD[16:])),
            (
                "a table size in CONTINUATION behind fields",
                _raw(_HEAD, flags=0) + _raw(b"\x20", kind=CONTINUATION),
            ),
            ("a field of trailers that is cut", call_head() + _raw(_TRAILERS[:-1], flags=_LAST)),
            ("a broken block behind RST_STREAM", call_head() + rst(1) + _raw(b"\x80", flags=_LAST)),
        ],
    )
    + _cases(
        "7541 4.4",
        goaway(COMPRESSION),
        [
            (
                name,
                _raw(*first) + _BODY + _raw(_HEAD, index, stream=3, flags=_LAST),
            )
            for name, index, first in [
                ("an entry of a table of none", b"\xbe", [b"\x20", _HEAD, b"\x40\x01a\x01b"]),
                (
                    "an entry that was evicted",
                    b"\xbf",
                    [_HEAD, b"\x40\x01a\x01b\x40\x01c", integer(4060, 7), b"d" * 4060],
                ),
                (
                    "an entry of a table that a larger one emptied",
                    b"\xbe",
                    [_HEAD, b"\x40\x01a\x01b\x40\x01c", integer(5000, 7), b"d" * 5000],
                ),
            ]
        ],
        stream=3,
    )
    + [
        Case(name, "7541", whole(_raw(*raw)), OK)
        for name, raw in [
            ("the last index of the static table", [_HEAD, b"\xbd"]),
            ("the largest table size", [integer(4096, 5, 0x20), _HEAD]),
            ("Huffman coding of an empty value", [_HEAD, b"\x00\x01a\x80"]),
        ]
    ]
    + _cases("9113 8.1.1", reset(PROTOCOL), [("a table size alone", _raw(b"\x20", flags=_LAST))])
)


DETAIL_CASES = PREFACES + LENGTHS + PLACES + SETTING_VALUES + WINDOWS + COMPRESSION_CASES
