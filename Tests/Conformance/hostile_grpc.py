"""What gRPC asks of a request beyond HTTP/2 (PROTOCOL-HTTP2, doc/statuscodes.md)."""

from hostile import *  # noqa: F403: the vocabulary of the tables

OK_, INVALID, DEADLINE, EXHAUSTED, UNIMPLEMENTED, FAILED = 0, 3, 4, 8, 12, 13


def _call(name, want, body=EMPTY_MESSAGE, method="UnaryCall", **fields):
    def run(p):
        p.call(1, body, method, **fields)

    return Case(name, "PROTOCOL-HTTP2", run, want)


REQUESTS = (
    [
        _call("GET", http(405), _method="GET"),
        _call("PUT", http(405), _method="PUT"),
        _call("post", http(405), _method="post"),
        _call("no te", OK, drop=["te"]),
        _call("no content type", http(415), drop=["content-type"]),
    ]
    + [
        _call(f"content type {value!r}", http(415), content_type=value)
        for value in (
            "application/json",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpcx",
            "text/plain",
            "application/grp",
            "application/grpc+",
            "application/grpc++",
            "application/grpc+json",
            "application/grpc+proto+x",
            "application/grpc,application/grpc",
            "",
        )
    ]
    + [
        _call(f"content type {value!r}", OK, content_type=value)
        for value in (
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC",
            "application/grpc;x=y",
            "application/grpc+proto ; charset=utf-8",
        )
    ]
    + [
        _call("content type twice", http(415), add=[("content-type", "application/grpc")]),
        _call("content type twice, different", http(415), add=[("content-type", "text/plain")]),
    ]
    + [
        _call(f"path {path!r}", grpc(UNIMPLEMENTED), _path=path)
        for path in (
            "/",
            "/grpc.testing.TestService",
            "/grpc.testing.TestService/",
            SERVICE + "Nothing",
            "/no.Service/UnaryCall",
            SERVICE + "UnaryCall/",
            SERVICE + "unaryCall",
            "/" + SERVICE + "UnaryCall",
            SERVICE + "UnaryCall?x=y",
            "/%2fgrpc",
            "/" + "x" * 8000,
        )
    ]
)

TIMEOUTS = (
    [
        _call(f"grpc-timeout {value!r}", grpc(FAILED), grpc_timeout=value)
        for value in (
            "",
            "S",
            "1",
            "123456789S",
            "1s",
            "1h",
            "-1S",
            "+1S",
            "1.5S",
            "1 S",
            "S1",
            "0x1S",
            "1SS",
            "1S,1S",
            "1\u0663S",
        )
    ]
    + [
        _call(
            "grpc-timeout twice", grpc(FAILED), add=[("grpc-timeout", "1S"), ("grpc-timeout", "1S")]
        ),
        _call("grpc-timeout of nothing", grpc(DEADLINE), grpc_timeout="0S"),
        _call("grpc-timeout of a nanosecond", grpc(DEADLINE), grpc_timeout="1n"),
    ]
    + [
        _call(f"grpc-timeout {value!r}", OK, grpc_timeout=value)
        for value in ("99999999H", "99999999S", "20M", "30000m", "30000000u", "00000030S")
    ]
    + [
        Case(
            "a call that never ends meets its deadline",
            "PROTOCOL-HTTP2",
            lambda p: p.headers(1, request("UnaryCall", grpc_timeout="50m")),
            grpc(DEADLINE),
        ),
        Case(
            "a stream that never ends meets its deadline",
            "PROTOCOL-HTTP2",
            lambda p: p.headers(1, request("FullDuplexCall", grpc_timeout="50m")),
            grpc(DEADLINE),
        ),
    ]
)

ENCODINGS = [
    _call("an unknown encoding", grpc(UNIMPLEMENTED), grpc_encoding="br"),
    _call("an encoding of no name", grpc(UNIMPLEMENTED), grpc_encoding=""),
    _call(
        "grpc-encoding twice",
        grpc(FAILED),
        add=[("grpc-encoding", "identity"), ("grpc-encoding", "identity")],
    ),
    _call("identity", OK, grpc_encoding="identity"),
    _call("a compressed message without an encoding", grpc(FAILED), message(b"abc", 1)),
    _call(
        "a compressed message under identity",
        grpc(FAILED),
        message(b"abc", 1),
        grpc_encoding="identity",
    ),
    _call("a compressed empty message without an encoding", grpc(FAILED), message(b"", 1)),
]

MESSAGES = (
    [
        _call(f"{method}: flags {flag:#x}", grpc(FAILED), message(b"", flag), method)
        for method in ("UnaryCall", "StreamingInputCall", "FullDuplexCall")
        for flag in (2, 3, 0x80, 0xFF)
    ]
    + [
        _call(f"{method}: {name}", grpc(FAILED), body, method)
        for method in ("UnaryCall", "StreamingInputCall", "FullDuplexCall", "StreamingOutputCall")
        for name, body in [
            ("a prefix of 1 byte", b"\0"),
            ("a prefix of 4 bytes", bytes(4)),
            ("a message cut short", message(b"\x0a", length=9)),
            ("a prefix and none of its message", message(b"", length=4)),
        ]
    ]
    + [
        _call("bytes behind the message", grpc(FAILED), EMPTY_MESSAGE + b"\0\0"),
        _call(
            "bytes behind the messages of a stream",
            grpc(FAILED),
            EMPTY_MESSAGE + b"\0\0",
            "StreamingInputCall",
        ),
        _call("two messages in a unary call", grpc(UNIMPLEMENTED), EMPTY_MESSAGE * 2),
        _call(
            "two messages in a server stream",
            grpc(UNIMPLEMENTED),
            EMPTY_MESSAGE * 2,
            "StreamingOutputCall",
        ),
        _call("no message in a unary call", grpc(UNIMPLEMENTED), b""),
        _call("no message in a server stream", grpc(UNIMPLEMENTED), b"", "StreamingOutputCall"),
        _call("no message in a client stream", OK, b"", "StreamingInputCall"),
        _call("no message in a bidirectional stream", OK, b"", "FullDuplexCall"),
        _call("a length above the limit", grpc(EXHAUSTED), message(b"x", length=(4 << 20) + 1)),
        _call("the largest length there is", grpc(EXHAUSTED), message(b"x", length=0xFFFFFFFF)),
        _call(
            "a length above the limit in a stream",
            grpc(EXHAUSTED),
            message(b"x", length=0xFFFFFFFF),
            "StreamingInputCall",
        ),
        _call("a message that is no protobuf", grpc(FAILED), message(b"\xff\xff\xff")),
        _call("a field of wire type 7", grpc(FAILED), message(b"\x0f")),
        _call("a field number of 0", grpc(FAILED), message(b"\x02\x01")),
        _call("a message cut within", grpc(FAILED), message(b"\x1a\x05ab")),
        _call(
            "a message that is no protobuf in a stream",
            grpc(FAILED),
            message(b"\xff\xff\xff"),
            "StreamingInputCall",
        ),
        _call("an unknown field", OK, message(b"\xf8\x3f\x01")),
        Case(
            "no DATA at all",
            "statuscodes.md",
            lambda p: p.headers(1, request(), END_HEADERS | END_STREAM),
            grpc(UNIMPLEMENTED),
        ),
        Case(
            "two messages in two frames",
            "statuscodes.md",
            lambda p: (
                p.headers(1, request()),
                p.data(1, EMPTY_MESSAGE, 0),
                p.data(1, EMPTY_MESSAGE),
            ),
            grpc(UNIMPLEMENTED),
        ),
        Case(
            "a prefix byte by byte",
            "PROTOCOL-HTTP2",
            lambda p: (
                p.headers(1, request()),
                [p.data(1, b"\0", 0) for _ in range(5)],
                p.data(1, b""),
            ),
            OK,
        ),
        Case(
            "a length above the limit is refused before the bytes come",
            "PROTOCOL-HTTP2",
            lambda p: (p.headers(1, request()), p.data(1, message(b"", length=5 << 20), 0)),
            grpc(EXHAUSTED),
        ),
        Case(
            "END_STREAM in an empty DATA frame",
            "PROTOCOL-HTTP2",
            lambda p: (p.headers(1, request()), p.data(1, EMPTY_MESSAGE, 0), p.data(1, b"")),
            OK,
        ),
    ]
)

METADATA = (
    [
        _call(f"x-test-bin {value!r}", grpc(FAILED), x_test_bin=value)
        for value in (
            "a",
            "!!!!",
            "YWJj=",
            "YW=Jj",
            "====",
            "YWJjZ",
            "YWJj,!",
            "YW Jj",
            "YW Jj, YWJj",
            "YWJj, YW Jj",
            "YWJj YWJj",
            "YR==",
            "YR",
            "YWJjZGV=",
            "-_-_",
        )
    ]
    + [
        _call(f"{name} twice", grpc(FAILED), add=[(name, value), (name, value)])
        for name, value in [("user-agent", "a/1"), ("grpc-message-type", "a.B")]
    ]
    + [
        _call("te twice", grpc(FAILED), add=[("te", "trailers")]),
        _call(
            "grpc-accept-encoding twice",
            OK,
            add=[("grpc-accept-encoding", "gzip"), ("grpc-accept-encoding", "identity")],
        ),
    ]
    + [
        _call(f"x-test-bin {value!r}", OK, x_test_bin=value)
        for value in (
            "",
            "YWJj",
            "YWJjZA",
            "YWJjZA==",
            "YWJj,YWI",
            "YWJj, YWI",
            "YWJjZA== ,\tYWI=,",
            "+/+/",
        )
    ]
    + [
        _call(f"a name of {name!r}", grpc(FAILED), add=[(name, "x")])
        for name in ("x!y", "x$", "x'y", "x|y", "x~", "#x", "x*")
    ]
    + [
        _call(f"{name}: {value}", OK, add=[(name, value)])
        for name, value in [
            ("grpc-accept-encoding", "gzip, br"),
            ("grpc-previous-rpc-attempts", "1"),
            ("grpc-trace-bin", "AAAA"),
            ("user-agent", "x/1 (y; z)"),
            ("0_.-", "a"),
            ("grpc-something-new", "1"),
        ]
    ]
)


def _half_then_silence(p):
    p.open(1, "StreamingInputCall")
    p.data(1, message(b"", length=1000) + bytes(10), 0)
    p.send(rst(1))


LIVES = [
    Case(
        "a call given up in the middle of a message",
        "PROTOCOL-HTTP2",
        _half_then_silence,
        ALIVE,
        None,
    ),
    Case(
        "an error does not wait for the end of the request",
        "PROTOCOL-HTTP2",
        lambda p: p.open(1, "Nothing"),
        grpc(UNIMPLEMENTED),
    ),
]

GRPC_CASES = REQUESTS + TIMEOUTS + ENCODINGS + MESSAGES + METADATA + LIVES
