"""Frames: preface, sizes, padding, lengths, and what is to be ignored (RFC 9113, 3 to 6)."""

from hostile import *  # noqa: F403: the vocabulary of the tables
from hostile_moves import *  # noqa: F403

PREFACES = [
    Case(
        "preface is HTTP/1.1",
        "9113 3.4",
        greeting(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "preface has one wrong byte",
        "9113 3.4",
        greeting(PREFACE[:-1] + b"x", settings()),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "no SETTINGS after the preface, but HEADERS",
        "9113 3.4",
        greeting(PREFACE, call_head()),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "no SETTINGS after the preface, but PING",
        "9113 3.4",
        greeting(PREFACE, frame(PING, 0, 0, bytes(8))),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "an acknowledgement is the first SETTINGS",
        "9113 3.4",
        greeting(PREFACE, settings(flags=ACK)),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "first SETTINGS too long",
        "9113 4.2",
        greeting(PREFACE, frame(SETTINGS, 0, 0, bytes(16392))),
        goaway(SIZE),
        1,
        False,
    ),
    Case(
        "first SETTINGS on a stream",
        "9113 6.5",
        greeting(PREFACE, settings(stream=1)),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "first SETTINGS of 5 bytes",
        "9113 6.5",
        greeting(PREFACE, frame(SETTINGS, 0, 0, bytes(5))),
        goaway(SIZE),
        1,
        False,
    ),
    Case(
        "no SETTINGS after the preface, but an unknown frame",
        "9113 3.4",
        greeting(PREFACE, frame(0x77, 0, 0, b"x")),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "no SETTINGS after the preface, but WINDOW_UPDATE",
        "9113 3.4",
        greeting(PREFACE, window_update(0, 1)),
        goaway(PROTOCOL),
        1,
        False,
    ),
    Case(
        "no SETTINGS after the preface, but GOAWAY",
        "9113 3.4",
        greeting(PREFACE, frame(GOAWAY, 0, 0, bytes(8))),
        goaway(PROTOCOL),
        1,
        False,
    ),
    # "PRI" is a frame's length.
    Case(
        "the preface twice",
        "9113 3.4",
        greeting(PREFACE, settings(), PREFACE),
        goaway(SIZE),
        1,
        False,
    ),
    Case(
        "preface in pieces",
        "9113 3.4",
        lambda p: [p.send(PREFACE[i : i + 1]) for i in range(24)] and p.send(settings()),
        ALIVE,
        None,
        False,
    ),
    Case(
        "settings and a call before the server's settings",
        "9113 3.4",
        lambda p: (p.send(PREFACE, settings()), p.call()),
        OK,
        1,
        False,
    ),
]

SIZES = [
    Case(
        "DATA of the largest size",
        "9113 4.2",
        lambda p: (
            p.open(1, "StreamingInputCall"),
            p.data(1, message(b"\x0a\xf8\x7f\x12\xf5\x7f" + bytes(16373))),
        ),
        OK,
    ),
    Case(
        "DATA one byte too long",
        "9113 4.2",
        lambda p: (p.open(), p.data(1, bytes(16385), 0)),
        goaway(SIZE),
    ),
    Case(
        "HEADERS too long",
        "9113 4.2",
        lambda p: p.send(frame(HEADERS, END_HEADERS, 1, bytes(16385))),
        goaway(SIZE),
    ),
    Case(
        "SETTINGS too long",
        "9113 4.2",
        lambda p: p.send(frame(SETTINGS, 0, 0, bytes(16386))),
        goaway(SIZE),
    ),
    Case(
        "CONTINUATION too long",
        "9113 4.2",
        lambda p: p.send(split_head(2)[0], frame(CONTINUATION, END_HEADERS, 1, bytes(16385))),
        goaway(SIZE),
    ),
    Case(
        "an unknown frame too long",
        "9113 4.2",
        lambda p: p.send(frame(0x77, 0, 0, bytes(16385))),
        goaway(SIZE),
    ),
    Case(
        "an announced length without the bytes closes nothing else",
        "9113 4.1",
        lambda p: p.send(frame(PING, 0, 0, b"")),
        goaway(SIZE),
    ),
]

IGNORED = [
    Case(
        "an unknown frame", "9113 4.1", lambda p: p.send(frame(0x16, 0, 0, bytes(8))), ALIVE, None
    ),
    Case(
        "an unknown frame on a stream",
        "9113 5.5",
        lambda p: (p.open(3), p.send(frame(0xFE, 255, 3, b"what")), p.ping()),
        ALIVE,
        None,
    ),
    Case(
        "an unknown frame on an idle stream",
        "9113 5.5",
        lambda p: p.send(frame(0xFE, 255, 99, b"what")),
        ALIVE,
        None,
    ),
    Case(
        "unknown flags on PING",
        "9113 4.1",
        lambda p: p.send(frame(PING, 0xFE, 0, b"flagging")),
        ALIVE,
        None,
    ),
    Case(
        "unknown flags on SETTINGS", "9113 4.1", lambda p: p.send(settings(flags=0xFE)), ALIVE, None
    ),
    Case(
        "unknown flags on a call",
        "9113 4.1",
        whole(call_head(flags=END_HEADERS | 0x40 | 0x10 | 2, method="UnaryCall")),
        OK,
    ),
    Case(
        "unknown flags on DATA",
        "9113 4.1",
        lambda p: p.send(
            call_head(method="UnaryCall"), frame(DATA, END_STREAM | 0xF6, 1, EMPTY_MESSAGE)
        ),
        OK,
    ),
    Case(
        "the reserved bit of a stream identifier",
        "9113 4.1",
        lambda p: p.send(
            frame(HEADERS, END_HEADERS, 1 | 1 << 31, block(request())),
            frame(DATA, END_STREAM, 1 | 1 << 31, EMPTY_MESSAGE),
        ),
        OK,
    ),
    Case(
        "the reserved bit of WINDOW_UPDATE",
        "9113 6.9",
        lambda p: p.send(window_update(0, 1 << 31 | 100)),
        ALIVE,
        None,
    ),
    Case(
        "an unknown setting",
        "9113 6.5.2",
        lambda p: p.send(settings((0x99, 7), (0xFFFF, 0xFFFFFFFF))),
        ALIVE,
        None,
    ),
    Case(
        "a PING answer no one asked for",
        "9113 6.7",
        lambda p: p.send(frame(PING, ACK, 0, bytes(8))),
        ALIVE,
        None,
    ),
    Case(
        "PRIORITY on an idle stream",
        "9113 6.3",
        lambda p: p.send(frame(PRIORITY, 0, 7, dependency(0))),
        ALIVE,
        None,
    ),
    Case(
        "PRIORITY on a stream that is over",
        "9113 5.1",
        on(complete, frame(PRIORITY, 0, 1, dependency(0))),
        ALIVE,
        None,
    ),
    Case(
        "WINDOW_UPDATE on a stream that is over",
        "9113 5.1",
        on(complete, window_update(1, 100)),
        ALIVE,
        None,
    ),
    Case("RST_STREAM on a stream that is over", "9113 5.1", on(complete, rst(1)), ALIVE, None),
    Case("RST_STREAM twice", "9113 5.4.2", on(reset_stream, rst(1)), ALIVE, None),
    Case(
        "DATA under way when the server ended the call",
        "9113 5.1",
        on(refused_early, frame(DATA, END_STREAM, 1, EMPTY_MESSAGE)),
        ALIVE,
        None,
    ),
    Case(
        "trailers under way when the server ended the call",
        "9113 5.1",
        on(refused_early, frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("a", "b")]))),
        ALIVE,
        None,
    ),
    Case(
        "WINDOW_UPDATE on a half-closed stream",
        "9113 5.1",
        lambda p: (half(p), p.send(window_update(1, 1000))),
        OK,
        1,
    ),
    Case(
        "a SETTINGS_ENABLE_PUSH of 1 and 0",
        "9113 6.5.2",
        lambda p: p.send(settings((ENABLE_PUSH, 1)), settings((ENABLE_PUSH, 0))),
        ALIVE,
        None,
    ),
    Case(
        "a header table of none",
        "9113 6.5.2",
        lambda p: p.send(settings((TABLE_SIZE, 0))),
        ALIVE,
        None,
    ),
    Case(
        "the largest and smallest frame size",
        "9113 6.5.2",
        lambda p: p.send(settings((FRAME_SIZE, 16777215)), settings((FRAME_SIZE, 16384))),
        ALIVE,
        None,
    ),
    Case(
        "trailers in a request",
        "9113 8.1",
        lambda p: (
            p.headers(1, request()),
            p.data(1, EMPTY_MESSAGE, 0),
            p.headers(1, [("x-sum", "1")], END_HEADERS | END_STREAM),
        ),
        OK,
    ),
    Case(
        "GOAWAY of a client lets its calls end",
        "9113 6.8",
        lambda p: (
            p.open(),
            p.send(frame(GOAWAY, 0, 0, bytes(8) + b"bye"), frame(DATA, END_STREAM, 1)),
        ),
        OK,
        1,
        True,
        0,
    ),
    Case(
        "priority in HEADERS",
        "9113 6.2",
        whole(frame(HEADERS, END_HEADERS | PRIORITIZED, 1, dependency(0, 200) + block(request()))),
        OK,
    ),
    Case(
        "a priority that names a later stream",
        "9113 5.3",
        whole(frame(HEADERS, END_HEADERS | PRIORITIZED, 1, dependency(9) + block(request()))),
        OK,
    ),
    Case("a field block in three frames", "9113 6.10", whole(*split_head(3)), OK),
    Case(
        "an empty CONTINUATION",
        "9113 6.10",
        whole(frame(HEADERS, 0, 1, block(request())), frame(CONTINUATION, END_HEADERS, 1)),
        OK,
    ),
    Case(
        "padding",
        "9113 6.1",
        lambda p: p.send(
            padded(1, 200, block(request())), padded(1, 255, EMPTY_MESSAGE, DATA, END_STREAM)
        ),
        OK,
    ),
    Case(
        "DATA that is all padding",
        "9113 6.1",
        lambda p: p.send(
            call_head(method="UnaryCall"),
            padded(1, 10, b"", DATA, 0),
            frame(DATA, END_STREAM, 1, EMPTY_MESSAGE),
        ),
        OK,
    ),
]

PADDING = [
    Case(
        "DATA whose padding is as long as its payload",
        "9113 6.1",
        lambda p: (p.open(), p.send(padded(1, 0, b"abc", DATA, 0, announced=4))),
        goaway(PROTOCOL),
    ),
    Case(
        "DATA whose padding is longer than its payload",
        "9113 6.1",
        lambda p: (p.open(), p.send(padded(1, 0, b"", DATA, 0, announced=255))),
        goaway(PROTOCOL),
    ),
    Case(
        "DATA padded without a length",
        "9113 6.1",
        lambda p: (p.open(), p.send(frame(DATA, PADDED, 1))),
        goaway(PROTOCOL),
    ),
    Case(
        "HEADERS whose padding is longer than its payload",
        "9113 6.2",
        lambda p: p.send(
            padded(1, 0, block(request()), announced=255)[:9] + b"\xff" + block(request())
        ),
        goaway(PROTOCOL),
    ),
    Case(
        "HEADERS padded without a length",
        "9113 6.2",
        lambda p: p.send(frame(HEADERS, END_HEADERS | PADDED, 1)),
        goaway(PROTOCOL),
    ),
    Case(
        "HEADERS too short for its priority",
        "9113 6.2",
        lambda p: p.send(frame(HEADERS, END_HEADERS | PRIORITIZED, 1, b"\0\0")),
        goaway(SIZE),
    ),
    Case(
        "HEADERS padded into its priority",
        "9113 6.2",
        lambda p: p.send(
            frame(HEADERS, END_HEADERS | PRIORITIZED | PADDED, 1, b"\x03" + dependency(0))
        ),
        goaway(PROTOCOL),
    ),
]

STREAM_ZERO = [
    Case(f"{name} on stream 0", source, lambda p, f=f: p.send(f), goaway(PROTOCOL))
    for name, source, f in [
        ("DATA", "9113 6.1", frame(DATA, END_STREAM, 0, b"x")),
        ("HEADERS", "9113 6.2", call_head(0)),
        ("PRIORITY", "9113 6.3", frame(PRIORITY, 0, 0, dependency(3))),
        ("RST_STREAM", "9113 6.4", rst(0)),
        ("CONTINUATION", "9113 6.10", frame(CONTINUATION, END_HEADERS, 0, block(request()))),
        (
            "PUSH_PROMISE",
            "9113 6.6",
            frame(PUSH_PROMISE, END_HEADERS, 0, b"\0\0\0\2" + block(request())),
        ),
    ]
] + [
    Case(f"{name} on a stream", source, lambda p, f=f: (p.open(), p.send(f)), goaway(PROTOCOL))
    for name, source, f in [
        ("SETTINGS", "9113 6.5", settings(stream=1)),
        ("an acknowledgement of SETTINGS", "9113 6.5", settings(flags=ACK, stream=1)),
        ("PING", "9113 6.7", frame(PING, 0, 1, bytes(8))),
        ("GOAWAY", "9113 6.8", frame(GOAWAY, 0, 1, bytes(8))),
    ]
]

LENGTHS = [
    Case(
        f"{name} of {len(payload)} bytes",
        source,
        lambda p, f=frame(kind, flags, stream, payload): (p.open(), p.send(f)),
        goaway(SIZE),
    )
    for name, source, kind, flags, stream, payload in [
        ("RST_STREAM", "9113 6.4", RST_STREAM, 0, 1, bytes(3)),
        ("RST_STREAM", "9113 6.4", RST_STREAM, 0, 1, bytes(5)),
        ("SETTINGS", "9113 6.5", SETTINGS, 0, 0, bytes(5)),
        ("SETTINGS", "9113 6.5", SETTINGS, 0, 0, bytes(7)),
        ("an acknowledgement of SETTINGS", "9113 6.5", SETTINGS, ACK, 0, bytes(6)),
        ("an acknowledgement of SETTINGS", "9113 6.5", SETTINGS, ACK, 0, bytes(1)),
        ("PING", "9113 6.7", PING, 0, 0, bytes(7)),
        ("PING", "9113 6.7", PING, 0, 0, bytes(9)),
        ("PING", "9113 6.7", PING, 0, 0, b""),
        ("an answer to PING", "9113 6.7", PING, ACK, 0, bytes(7)),
        ("GOAWAY", "9113 6.8", GOAWAY, 0, 0, bytes(7)),
        ("WINDOW_UPDATE on the connection", "9113 6.9", WINDOW_UPDATE, 0, 0, bytes(3)),
        ("WINDOW_UPDATE on a stream", "9113 6.9", WINDOW_UPDATE, 0, 1, bytes(5)),
    ]
] + [
    Case(
        "PRIORITY of 4 bytes",
        "9113 6.3",
        on(open_stream, frame(PRIORITY, 0, 1, bytes(4))),
        reset(SIZE),
    ),
    Case(
        "PRIORITY of 6 bytes",
        "9113 6.3",
        on(open_stream, frame(PRIORITY, 0, 1, bytes(6))),
        reset(SIZE),
    ),
    Case(
        "PRIORITY of 4 bytes on an idle stream",
        "9113 6.3",
        lambda p: p.send(frame(PRIORITY, 0, 1, bytes(4))),
        goaway(SIZE),
    ),
]

FRAME_CASES = PREFACES + SIZES + IGNORED + PADDING + STREAM_ZERO + LENGTHS
