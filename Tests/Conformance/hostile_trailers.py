"""Trailers of a request (RFC 9113, 8.1; RFC 9110, 6.5): the rules of a head hold for them too."""

from hostile import *  # noqa: F403: the vocabulary of the tables


def send_trailers(p, fields, method="UnaryCall"):
    p.headers(1, request(method))
    p.data(1, EMPTY_MESSAGE, 0)
    p.headers(1, fields, END_HEADERS | END_STREAM)


def _case(name, source, fields, want):
    return Case(f"trailers: {name}", source, lambda p: send_trailers(p, fields), want)


def _then(*frames):
    """Trailers that end a request, with the response held back by a window of 0, then frames."""

    def run(p):
        p.send(settings((WINDOW_SIZE, 0)))
        p.until(lambda: p.acks >= 2)
        p.headers(1, request())
        p.data(1, message(b"\x10\x0a"), 0)
        p.headers(1, [("a", "b")], END_HEADERS | END_STREAM)
        p.ping()
        p.send(*frames)

    return run


TRAILER_CASES = (
    [
        _case(f"{name}: {value}", "9110 6.5.1", [(name, value)], reset(PROTOCOL))
        for name, value in [
            ("content-length", "5"),
            ("content-length", "6"),
            ("te", "trailers"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("host", "localhost"),
            ("content-type", "application/grpc"),
            ("x-bin", "!!"),
            ("x-bin", "YW Jj"),
            ("x!y", "1"),
            ("x y", "1"),
            ("x", "a\0"),
            ("x", " a"),
        ]
    ]
    + [
        _case(
            "too long",
            "9113 10.5.1",
            [(f"x-{i}", "y" * 4000) for i in range(4)] + [(f"y-{i}", "") for i in range(9)],
            reset(CALM),
        ),
        _case("too many", "9113 10.5.1", [(f"x-{i}", "y") for i in range(200)], reset(CALM)),
        _case("as many as there may be", "9113 10.5.1", [(f"x-{i}", "y") for i in range(128)], OK),
        _case("bytes in base64", "PROTOCOL-HTTP2", [("x-bin", "YWJj")], OK),
        _case("a name of gRPC's", "PROTOCOL-HTTP2", [("grpc-status", "0")], OK),
        Case(
            "trailers: none in their block",
            "9113 8.1",
            lambda p: send_trailers(p, []),
            OK,
        ),
        Case(
            "trailers: in CONTINUATION",
            "9113 6.10",
            lambda p: (
                p.headers(1, request()),
                p.data(1, EMPTY_MESSAGE, 0),
                p.send(
                    frame(HEADERS, END_STREAM, 1),
                    frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")])),
                ),
            ),
            OK,
        ),
        Case(
            "trailers too long in a stream of requests",
            "9113 10.5.1",
            lambda p: send_trailers(p, [(f"x-{i}", "y") for i in range(200)], "StreamingInputCall"),
            reset(CALM),
        ),
        Case("DATA after trailers", "9113 5.1", _then(frame(DATA, END_STREAM, 1)), reset(CLOSED)),
        Case(
            "HEADERS after trailers",
            "9113 5.1",
            _then(frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("a", "b")]))),
            reset(CLOSED),
        ),
        Case(
            "trailers behind a part of a message",
            "PROTOCOL-HTTP2",
            lambda p: (
                p.headers(1, request()),
                p.data(1, message(b"ab", length=9), 0),
                p.headers(1, [("a", "b")], END_HEADERS | END_STREAM),
            ),
            grpc(13),
        ),
        Case(
            "trailers without a message",
            "statuscodes.md",
            lambda p: (
                p.headers(1, request()),
                p.headers(1, [("a", "b")], END_HEADERS | END_STREAM),
            ),
            grpc(12),
        ),
    ]
)
