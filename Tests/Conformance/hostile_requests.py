"""Rules for requests that the other tables show by one example, in their further forms."""

import gzip
import zlib

from hostile import *  # noqa: F403: the vocabulary of the tables
from hostile_limits import in_frames
from hostile_moves import *  # noqa: F403


def _heads(source, want, rows):
    return [
        Case(name, source, whole(*in_frames(block(fields), 16_000)), want) for name, fields in rows
    ]


REQUESTS = (
    _heads(
        "9113 8.2",
        reset(PROTOCOL),
        [(f"a name with {c!r}", request(add=[(f"x{c}y", "1")])) for c in '"(),/;<=>?@[\\]{}\t\r\n']
        + [(f"a name that is {n!r}", request(add=[(n, "1")])) for n in (":", "x:", " x", b"\xff")]
        + [
            (f"a value with {v!r}", request(add=[("x-test", v)]))
            for v in (b"a\x01", b"\x1f", b"a\x7fb", b" ")
        ]
        + [
            (f"te is {value!r}", request(te=value))
            for value in ("deflate, trailers", "trailers;q=1", "trailer", "chunked")
        ]
        + [
            (f"content-length is {value!r}", request(content_length=value))
            for value in ("5a", "0x5", "5 5", "9223372036854775807", "9223372036854775808")
        ]
        + [("content-length twice, equal", request(add=[("content-length", "5")] * 2))]
        + [
            (f"the authority {value!r}", request(_authority=value))
            for value in (
                "user:word@localhost",
                "a?b",
                "a#b",
                "a\\b",
                "http://localhost",
                "localhost:-1",
                "[::1",
                "::1]",
                "",
            )
        ]
        + [
            (f"the path {value!r}", request(_path=value))
            for value in ("http://localhost/a/b", "/a\tb", "/a\x01", "/a\x7f")
        ]
        + [(f"the scheme {v!r}", request(_scheme=v)) for v in ("1http", "http:", "\x01")]
        + [(f"the method {v!r}", request(_method=v)) for v in ("POST:", "PO/ST", "PO\x01ST")]
        + [
            (
                "an unknown pseudo-header behind the others",
                request(drop=["te", "content-type"], add=[(":x", "y")]),
            ),
            ("CONNECT without an authority", [(":method", "CONNECT")]),
            (
                "CONNECT with a scheme",
                [(":method", "CONNECT"), (":authority", "a:1"), (":scheme", "http")],
            ),
            (
                "extended CONNECT that was not offered",
                request(first=[(":protocol", "websocket")], _method="CONNECT"),
            ),
            ("OPTIONS with an empty path", request(_method="OPTIONS", _path="")),
            ("a host of another port", request(_authority="a:1", add=[("host", "a:2")])),
        ],
    )
    + _heads(
        "PROTOCOL-HTTP2",
        http(415),
        [
            (f"the content type {value!r}", request(content_type=value))
            for value in (
                "grpc",
                "application/grpc/x",
                "application/grpc_x",
                "application/grpc proto",
                "text/html; application/grpc",
                "application/grpc-web-text",
                "xapplication/grpc",
            )
        ],
    )
    + _heads(
        "9110 15.5.6",
        http(405),
        [
            (f"{value} of a call", request(_method=value))
            for value in ("PATCH", "DELETE", "TRACE", "OPTIONS", "XYZZY", "HEAD")
        ],
    )
    + _heads(
        "PROTOCOL-HTTP2",
        grpc(12),
        [
            (f"the method at {path!r}", request(_path=path))
            for path in ("//", "/a/b/c", "/?", SERVICE + "%55naryCall", "/.." + SERVICE + "a")
        ]
        + [
            (f"the encoding {value!r}", request(grpc_encoding=value))
            for value in ("gzip, deflate", "gzip,gzip", "gzipx", "GZIP")
        ],
    )
    + _heads(
        "PROTOCOL-HTTP2",
        grpc(13),
        [
            (f"the timeout {value!r}", request(grpc_timeout=value))
            for value in ("1X", "1ms", "1e3S", "infinity", "1S;", "9" * 24 + "S")
        ]
        + [
            (f"the bytes {value!r}", request(x_test_bin=value))
            for value in ("Y", "=", "YWI==", "YWI===", "Y=WI", "YWI=YWI=", b"\xff\xff", "YW\tJj")
        ],
    )
    + _heads(
        "PROTOCOL-HTTP2",
        OK,
        [
            (f"{name}: {value!r}", request(add=[(name, value)]))
            for name, value in [
                ("grpc-status", "13"),
                ("grpc-message", "%zz"),
                ("grpc-accept-encoding", ",,,"),
                ("grpc-timeout", "99999999M"),
                ("user-agent", ""),
                ("user-agent", "x" * 7000),
                ("user-agent", "größe"),
                ("expect", "100-continue"),
                ("x-test", b"\x80\xff"),
                ("http2-settings", "AAAA"),
            ]
        ],
    )
)


def _messages(want, rows, **fields):
    return [
        Case(
            f"{fields.get('grpc_encoding', 'message')}: {name}",
            "PROTOCOL-HTTP2",
            lambda p, body=body: p.call(1, body, **fields),
            want,
        )
        for name, body in rows
    ]


def _text(text):
    """A request that asks for a status with that message and code 3."""
    status = b"\x08\x03\x12" + bytes([len(text)]) + text
    return message(b"\x3a" + bytes([len(status)]) + status)


_GZIP, _ZLIB = gzip.compress(b"\x10\x05", mtime=0), zlib.compress(b"\x10\x05")

MESSAGES = (
    _messages(grpc(13), [(f"flags of {flag}", message(b"", flag)) for flag in (4, 16, 127, 254)])
    + _messages(
        grpc(13),
        [
            (f"the bytes {body[:12].hex()} of {len(body)}", message(body))
            for body in [
                b"\x10\x80",
                b"\x10" + b"\xff" * 10 + b"\x01",
                b"\x10",
                b"\x00\x01",
                b"\x16\x01",
                b"\x0c",
                b"\xf3\x01",
                b"\xf3\x01\x0c",
                b"\xf3\x06" * 8000 + b"\xf4\x06" * 9,
                b"\xf9\x06abc",
                b"\xfd\x06ab",
                b"\x1a\xff\xff\xff\xff\x0f",
                b"\x1a" + b"\xff" * 9 + b"\x01",
                b"\xff" * 9 + b"\x01",
                b"\x1a\x03\x12\x05a",
                bytes(range(256)),
            ]
        ],
    )
    + _messages(
        grpc(13),
        [
            (f"a string of {text.hex()}", _text(text))
            for text in [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
        ],
    )
    + _messages(grpc(3), [("a status with lines", _text("a\r\nb: c €% ".encode()))])
    + _messages(
        grpc(13),
        [
            (name, message(body, 1))
            for name, body in [
                ("cut by one", _GZIP[:-1]),
                ("cut at its trailer", _GZIP[:-8]),
                ("cut at its head", _GZIP[:9]),
                ("flags that are reserved", _GZIP[:3] + b"\xe0" + _GZIP[4:]),
                ("another method", _GZIP[:2] + b"\x09" + _GZIP[3:]),
                ("a zero behind", _GZIP + b"\0"),
                ("the other format", _ZLIB),
                ("text", b"garbage!" * 4),
            ]
        ]
        + [("flags of 3", message(_GZIP, 3)), ("flags of 129", message(_GZIP, 129))],
        grpc_encoding="gzip",
    )
    + _messages(
        grpc(8), [("a length of 2^31-1", message(b"", 1, 0x7FFFFFFF))], grpc_encoding="gzip"
    )
    + _messages(
        grpc(13),
        [
            (name, message(body, 1))
            for name, body in [
                ("the other format", _GZIP),
                ("without its head", _ZLIB[2:-4]),
                ("with a dictionary", b"\x78\xbb" + bytes(10)),
                ("cut by one", _ZLIB[:-1]),
                ("a byte behind", _ZLIB + b"x"),
            ]
        ],
        grpc_encoding="deflate",
    )
    + [
        Case(
            f"an answer to {name} before the request's end",
            "9113 8.1",
            lambda p, fields=fields, raw=raw: (p.headers(1, fields), p.send(raw)),
            want,
        )
        for name, fields, raw, want in [
            ("a wrong flag", request(), frame(DATA, 0, 1, message(b"", 2)), grpc(13)),
            (
                "a wrong message",
                request("FullDuplexCall"),
                frame(DATA, 0, 1, message(b"\x07")) + frame(DATA, 0, 1, EMPTY_MESSAGE) * 20,
                grpc(13),
            ),
            ("another content type", request(content_type="a/b"), b"", http(415)),
            (
                "more than was announced",
                request(content_length="4"),
                frame(DATA, 0, 1, EMPTY_MESSAGE),
                reset(PROTOCOL),
            ),
        ]
    ]
)

REQUEST_CASES = REQUESTS + MESSAGES
