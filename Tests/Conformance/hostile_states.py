"""Streams and the connection: states, identifiers, settings, windows, field blocks in pieces."""

from hostile import *  # noqa: F403: the vocabulary of the tables
from hostile_moves import *  # noqa: F403

STATES = [
    Case(f"{name} on an idle stream", "9113 5.1", lambda p, f=f: p.send(f), goaway(PROTOCOL))
    for name, f in [
        ("DATA", frame(DATA, END_STREAM, 1, b"x")),
        ("RST_STREAM", rst(1)),
        ("WINDOW_UPDATE", window_update(1, 100)),
        ("CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, block(request()))),
    ]
] + [
    Case(
        "DATA on a half-closed stream",
        "9113 5.1",
        on(half, frame(DATA, END_STREAM, 1, b"x")),
        reset(CLOSED),
    ),
    Case(
        "HEADERS on a half-closed stream",
        "9113 5.1",
        on(half, frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("a", "b")]))),
        reset(CLOSED),
    ),
    Case(
        "empty DATA on a half-closed stream",
        "9113 5.1",
        on(half, frame(DATA, 0, 1)),
        reset(CLOSED),
    ),
    Case(
        "CONTINUATION on a half-closed stream",
        "9113 6.10",
        on(half, frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")]))),
        goaway(PROTOCOL),
    ),
    Case(
        "DATA behind END_STREAM in one write",
        "9113 5.1",
        lambda p: p.send(
            call_head(method="UnaryCall"),
            frame(DATA, END_STREAM, 1, EMPTY_MESSAGE),
            frame(DATA, END_STREAM, 1, EMPTY_MESSAGE),
        ),
        reset(CLOSED),
    ),
    Case(
        "DATA after RST_STREAM",
        "9113 5.1",
        on(reset_stream, frame(DATA, END_STREAM, 1, b"x")),
        reset(CLOSED),
    ),
    Case(
        "HEADERS after RST_STREAM",
        "9113 5.1",
        on(reset_stream, call_head()),
        reset(CLOSED),
    ),
    Case(
        "trailers after RST_STREAM",
        "9113 5.1",
        on(reset_stream, frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("a", "b")]))),
        reset(CLOSED),
    ),
    Case(
        "DATA right behind RST_STREAM",
        "9113 5.1",
        lambda p: p.send(call_head(), rst(1), frame(DATA, END_STREAM, 1, b"x")),
        reset(CLOSED),
    ),
    Case(
        "CONTINUATION after RST_STREAM",
        "9113 6.10",
        on(reset_stream, frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")]))),
        goaway(PROTOCOL),
    ),
    Case(
        "DATA on a stream that is over",
        "9113 5.1",
        lambda p: (complete(p), p.answers.clear(), p.send(frame(DATA, END_STREAM, 1, b"x"))),
        goaway(CLOSED),
    ),
    Case(
        "HEADERS on a stream that is over",
        "9113 5.1",
        lambda p: (complete(p), p.answers.clear(), p.send(call_head())),
        goaway(CLOSED),
    ),
    Case(
        "CONTINUATION on a stream that is over",
        "9113 6.10",
        lambda p: (
            complete(p),
            p.answers.clear(),
            p.send(frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")]))),
        ),
        goaway(PROTOCOL),
    ),
]

IDENTIFIERS = [
    Case("an even identifier", "9113 5.1.1", lambda p: p.send(call_head(2)), goaway(PROTOCOL)),
    Case(
        "an identifier below one used before, never used",
        "9113 5.1.1",
        lambda p: (p.open(5), p.send(call_head(3))),
        goaway(PROTOCOL),
        3,
    ),
    Case(
        "DATA on an identifier that was skipped",
        "9113 5.1.1",
        lambda p: (p.open(5), p.send(frame(DATA, END_STREAM, 3, b"x"))),
        goaway(CLOSED),
        3,
    ),
    Case(
        "the same identifier again",
        "9113 5.1.1",
        lambda p: (p.complete(5), p.answers.clear(), p.send(call_head(5))),
        goaway(CLOSED),
        5,
    ),
    Case("an identifier that skips others", "9113 5.1.1", lambda p: p.call(99), OK, 99),
    Case(
        "the largest identifier", "9113 5.1.1", lambda p: p.call(2**31 - 1), OK, 2**31 - 1, True, 0
    ),
    Case(
        "a second request head on an open stream",
        "9113 8.1",
        lambda p: (p.open(), p.send(call_head())),
        reset(PROTOCOL),
    ),
    Case(
        "DATA on an even stream",
        "9113 5.1",
        lambda p: p.send(frame(DATA, 0, 2, b"x")),
        goaway(PROTOCOL),
        2,
    ),
]

DEPENDENCIES = [
    Case(
        "PRIORITY that depends on itself",
        "7540 5.3.1",
        on(open_stream, frame(PRIORITY, 0, 1, dependency(1))),
        reset(PROTOCOL),
    ),
    Case(
        "PRIORITY that depends on itself, idle",
        "7540 5.3.1",
        lambda p: p.send(frame(PRIORITY, 0, 1, dependency(1))),
        goaway(PROTOCOL),
    ),
    Case(
        "HEADERS that depend on themselves",
        "7540 5.3.1",
        lambda p: p.send(
            frame(HEADERS, END_HEADERS | PRIORITIZED, 1, dependency(1) + block(request()))
        ),
        goaway(PROTOCOL),
    ),
]

SETTING_VALUES = [
    Case(
        f"setting {number} of {value}",
        "9113 6.5.2",
        lambda p, s=settings((number, value)): p.send(s),
        want,
    )
    for number, value, want in [
        (ENABLE_PUSH, 2, goaway(PROTOCOL)),
        (ENABLE_PUSH, 0xFFFFFFFF, goaway(PROTOCOL)),
        (WINDOW_SIZE, 1 << 31, goaway(FLOW)),
        (WINDOW_SIZE, 0xFFFFFFFF, goaway(FLOW)),
        (FRAME_SIZE, 16383, goaway(PROTOCOL)),
        (FRAME_SIZE, 0, goaway(PROTOCOL)),
        (FRAME_SIZE, 1 << 24, goaway(PROTOCOL)),
        # SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441) and SETTINGS_NO_RFC7540_PRIORITIES (RFC 9218).
        (8, 2, goaway(PROTOCOL)),
        (9, 2, goaway(PROTOCOL)),
    ]
] + [
    Case(
        "a wrong value behind a right one",
        "9113 6.5.3",
        lambda p: p.send(settings((ENABLE_PUSH, 0), (ENABLE_PUSH, 2))),
        goaway(PROTOCOL),
    ),
    Case(
        "an initial window that overflows a stream's",
        "9113 6.9.2",
        lambda p: (
            p.open(),
            p.send(window_update(1, 0x7FFFFFFF - 65_535)),
            p.send(settings((WINDOW_SIZE, 65_536))),
        ),
        goaway(FLOW),
    ),
    Case(
        "a window made negative, then opened",
        "9113 6.9.2",
        lambda p: (
            p.send(settings((WINDOW_SIZE, 5))),
            p.call(1, message(b"\x10\x64")),
            p.ping(),
            p.send(settings((WINDOW_SIZE, 0))),
            p.send(window_update(1, 200)),
        ),
        OK,
    ),
    Case(
        "the last of several values holds",
        "9113 6.5.3",
        lambda p: (
            p.send(settings((WINDOW_SIZE, 0), (WINDOW_SIZE, 1000))),
            p.call(1, message(b"\x10\x64")),
        ),
        OK,
    ),
]

WINDOWS = [
    Case(
        "WINDOW_UPDATE of 0 on the connection",
        "9113 6.9",
        lambda p: p.send(window_update(0, 0)),
        goaway(PROTOCOL),
    ),
    Case(
        "WINDOW_UPDATE of 0 on a stream",
        "9113 6.9",
        on(open_stream, window_update(1, 0)),
        reset(PROTOCOL),
    ),
    Case(
        "the connection's window overflows",
        "9113 6.9.1",
        lambda p: p.send(window_update(0, 0x7FFFFFFF), window_update(0, 0x7FFFFFFF)),
        goaway(FLOW),
    ),
    Case(
        "a stream's window overflows",
        "9113 6.9.1",
        on(open_stream, window_update(1, 0x7FFFFFFF), window_update(1, 0x7FFFFFFF)),
        reset(FLOW),
    ),
    Case(
        "more DATA than a stream's window",
        "9113 6.9.1",
        lambda p: (
            p.open(),
            p.data(1, PAUSE, 0),
            p.send(*[frame(DATA, 0, 1, message(b"", length=16379) + bytes(16379))] * 20),
        ),
        reset(FLOW),
    ),
]

CONTINUATIONS = [
    Case(
        f"{name} within a field block",
        "9113 6.10",
        lambda p, f=f: p.send(split_head(2)[0], f),
        goaway(PROTOCOL),
    )
    for name, f in [
        ("DATA", frame(DATA, END_STREAM, 1, b"x")),
        ("HEADERS", call_head()),
        ("HEADERS of another stream", call_head(3)),
        ("PRIORITY", frame(PRIORITY, 0, 1, dependency(0))),
        ("RST_STREAM", rst(1)),
        ("SETTINGS", settings()),
        ("PING", frame(PING, 0, 0, bytes(8))),
        ("GOAWAY", frame(GOAWAY, 0, 0, bytes(8))),
        ("WINDOW_UPDATE", window_update(0, 1)),
        ("an unknown frame", frame(0x77, 0, 1, b"x")),
        ("CONTINUATION of another stream", frame(CONTINUATION, END_HEADERS, 3, b"")),
        ("CONTINUATION of stream 0", frame(CONTINUATION, END_HEADERS, 0, b"")),
    ]
] + [
    Case(
        "CONTINUATION after END_HEADERS",
        "9113 6.10",
        lambda p: p.send(call_head(), frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")]))),
        goaway(PROTOCOL),
    ),
    Case(
        "CONTINUATION after two with END_HEADERS",
        "9113 6.10",
        lambda p: p.send(*split_head(3), frame(CONTINUATION, END_HEADERS, 1, b"")),
        goaway(PROTOCOL),
    ),
    Case(
        "CONTINUATION after DATA",
        "9113 6.10",
        lambda p: (p.open(), p.send(frame(DATA, 0, 1, b""), frame(CONTINUATION, END_HEADERS, 1))),
        goaway(PROTOCOL),
    ),
]

PUSH = [
    Case(
        "PUSH_PROMISE of a client",
        "9113 8.4",
        lambda p: (
            p.open(),
            p.send(frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + block(request()))),
        ),
        goaway(PROTOCOL),
    ),
    Case(
        "PUSH_PROMISE on an idle stream",
        "9113 6.6",
        lambda p: p.send(frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2")),
        goaway(PROTOCOL),
    ),
]


def _crowd(p, count):
    p.send(*[call_head(2 * i + 1) for i in range(count)])
    p.ping()


def _excess(p):
    _crowd(p, p.settings[MAX_STREAMS])
    p.send(call_head(999))


CONCURRENCY = [
    Case("one stream too many", "9113 5.1.2", _excess, reset(REFUSED), 999, True, 0),
    Case(
        "a refused stream's identifier is spent",
        "9113 5.1.1",
        lambda p: (_excess(p), p.until(lambda: 999 in p.resets), p.send(rst(1)), p.call(1003)),
        OK,
        1003,
        True,
        0,
    ),
]

STATE_CASES = (
    STATES
    + IDENTIFIERS
    + DEPENDENCIES
    + SETTING_VALUES
    + WINDOWS
    + CONTINUATIONS
    + PUSH
    + CONCURRENCY
)
