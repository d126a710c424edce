"""Field blocks: HPACK (RFC 7541) and what a request may say (RFC 9113, 8; RFC 9110)."""

from hostile import *  # noqa: F403: the vocabulary of the tables


def _block(raw):
    return lambda p: p.send(
        frame(HEADERS, END_HEADERS, 1, raw), frame(DATA, END_STREAM, 1, EMPTY_MESSAGE)
    )


_PLAIN = block(request())

COMPRESSION_CASES = [
    Case(name, source, _block(raw), goaway(COMPRESSION))
    for name, source, raw in [
        ("index 0", "7541 6.1", _PLAIN + b"\x80"),
        ("an index beyond both tables", "7541 2.3.3", _PLAIN + b"\xff\x20"),
        (
            "a name's index beyond both tables",
            "7541 2.3.3",
            _PLAIN + integer(200, 6, 0x40) + b"\x01a",
        ),
        ("an integer that never ends", "7541 5.1", _PLAIN + b"\xff" + b"\xff" * 12 + b"\x7f"),
        ("a string longer than its block", "7541 5.2", _PLAIN + b"\x00\x05ab"),
        ("a field cut in its name's length", "7541 5.2", _PLAIN + b"\x00"),
        ("a value that is missing", "7541 6.2.2", _PLAIN + b"\x00\x01a"),
        ("Huffman padding of more than 7 bits", "7541 5.2", _PLAIN + b"\x00\x01a\x82\x1f\xff"),
        ("Huffman padding of zeros", "7541 5.2", _PLAIN + b"\x00\x01a\x81\x18"),
        (
            "the end-of-string symbol in a string",
            "7541 5.2",
            _PLAIN + b"\x00\x01a\x84\xff\xff\xff\xff",
        ),
        ("a table size above the setting", "7541 6.3", integer(1 << 20, 5, 0x20) + _PLAIN),
        ("a table size one above the setting", "7541 6.3", integer(4097, 5, 0x20) + _PLAIN),
        ("a table size behind a field", "7541 4.2", _PLAIN + integer(0, 5, 0x20)),
    ]
] + [
    Case(
        "a broken block in trailers",
        "7541 4",
        lambda p: (p.open(), p.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"))),
        goaway(COMPRESSION),
    ),
    Case(
        "a broken block in CONTINUATION",
        "7541 4",
        lambda p: p.send(
            frame(HEADERS, 0, 1, _PLAIN), frame(CONTINUATION, END_HEADERS, 1, b"\x80")
        ),
        goaway(COMPRESSION),
    ),
    Case(
        "a smaller table",
        "7541 6.3",
        _block(integer(0, 5, 0x20) + integer(4096, 5, 0x20) + _PLAIN),
        OK,
    ),
    Case("a field that never enters a table", "7541 6.2.3", _block(_PLAIN + b"\x10\x01a\x01b"), OK),
    Case(
        "a field larger than the table",
        "7541 4.4",
        _block(_PLAIN + b"\x40\x01a" + integer(5000, 7) + b"x" * 5000),
        OK,
    ),
    Case(
        "an entry of the table",
        "7541 2.3",
        lambda p: (
            p.send(frame(HEADERS, END_HEADERS, 1, _PLAIN + b"\x40\x03x-a\x01b")),
            p.data(1, EMPTY_MESSAGE),
            p.outcome(1),
            p.send(frame(HEADERS, END_HEADERS, 3, _PLAIN + b"\xbe")),
            p.data(3, EMPTY_MESSAGE),
        ),
        OK,
        3,
    ),
    Case(
        "the table stays in step over a stream that is reset",
        "9113 4.3",
        lambda p: (
            p.open(),
            p.send(rst(1)),
            p.ping(),
            p.send(frame(HEADERS, END_HEADERS, 1, _PLAIN + b"\x40\x03x-a\x01b")),
            p.send(frame(HEADERS, END_HEADERS, 3, _PLAIN + b"\xbe")),
            p.data(3, EMPTY_MESSAGE),
        ),
        OK,
        3,
    ),
    Case(
        "the table stays in step over a half-closed stream",
        "9113 4.3",
        lambda p: (
            p.send(settings((WINDOW_SIZE, 0))),
            p.until(lambda: p.acks >= 2),
            p.call(1, message(b"\x10\x0a")),
            p.ping(),
            p.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40\x03x-a\x01b")),
            p.send(settings((WINDOW_SIZE, 65_535))),
            p.send(frame(HEADERS, END_HEADERS, 3, _PLAIN + b"\xbe")),
            p.data(3, EMPTY_MESSAGE),
        ),
        OK,
        3,
    ),
    Case("Huffman coding", "7541 5.2", _block(_PLAIN + b"\x00\x01a\x82\x1c\x64"), OK),
]


_ENTRY = b"\x40\x03x-a\x01b"


def _refused_then_indexed(name, raw, *rest, flags=END_HEADERS | END_STREAM):
    """A block that is refused and adds to the table, then one that uses what it has added."""

    def run(p):
        p.send(frame(HEADERS, flags, 1, raw), *rest)
        p.outcome(1)
        p.send(frame(HEADERS, END_HEADERS, 3, _PLAIN + b"\xbe"))
        p.data(3, EMPTY_MESSAGE)

    return Case(f"the table stays in step over {name}", "9113 4.3", run, OK, 3)


IN_STEP = [
    _refused_then_indexed(
        "a list too long", block(request(add=[(f"x-{i}", "") for i in range(130)])) + _ENTRY
    ),
    _refused_then_indexed("a name in capitals", block(request(add=[("X-A", "b")])) + _ENTRY),
    _refused_then_indexed("a pseudo-header", block([(":zz", "1")] + request()) + _ENTRY),
    _refused_then_indexed("a method that is not known", block(request("Nothing")) + _ENTRY),
    _refused_then_indexed("a content type", block(request(content_type="a/b")) + _ENTRY),
    _refused_then_indexed(
        "a malformed head in pieces",
        block([("X", "1")] + request()),
        frame(CONTINUATION, END_HEADERS, 1, _ENTRY),
        flags=END_STREAM,
    ),
    _refused_then_indexed(
        "malformed trailers",
        _PLAIN,
        frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("X", "1")]) + _ENTRY),
        flags=END_HEADERS,
    ),
    _refused_then_indexed(
        "trailers too long",
        _PLAIN,
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            block([(f"x-{i}", "") for i in range(200)]) + _ENTRY,
        ),
        flags=END_HEADERS,
    ),
]


def _malformed(name, source, fields, want=None, body=EMPTY_MESSAGE):
    def run(p):
        p.send(frame(HEADERS, END_HEADERS, 1, block(fields)), frame(DATA, END_STREAM, 1, body))

    return Case(name, source, run, want or reset(PROTOCOL))


PSEUDO_HEADERS = (
    [
        _malformed(f"no {name}", "9113 8.3.1", request(drop=[name]))
        for name in (":method", ":scheme", ":path")
    ]
    + [
        _malformed(f"{name} twice", "9113 8.3", request(first=[(name, value)]))
        for name, value in [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", SERVICE + "UnaryCall"),
        ]
    ]
    + [
        _malformed(
            f"{name} behind a regular field", "9113 8.3", request(drop=[name], add=[(name, value)])
        )
        for name, value in [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", SERVICE + "UnaryCall"),
        ]
    ]
    + [
        _malformed(f"{name} empty", "9113 8.3.1", request(**{"_" + name[1:]: ""}))
        for name in (":method", ":scheme", ":path")
    ]
    + [
        _malformed("an unknown pseudo-header", "9113 8.3", request(first=[(":test", "x")])),
        _malformed("a response's pseudo-header", "9113 8.3", request(first=[(":status", "200")])),
        _malformed(
            ":protocol without extended CONNECT", "8441 4", request(first=[(":protocol", "x")])
        ),
        _malformed(
            "a pseudo-header in capitals",
            "9113 8.2",
            request(drop=[":path"], first=[(":Path", "/")]),
        ),
        _malformed(
            "a path that does not begin with a slash",
            "9113 8.3.1",
            request(_path="grpc.testing.TestService/UnaryCall"),
        ),
        _malformed("a path of * that is no OPTIONS", "9113 8.3.1", request(_path="*")),
        _malformed("a space in the path", "9113 8.3.1", request(_path="/a b/c")),
        _malformed("a scheme that is none", "9110 4.2", request(_scheme="ht tp")),
        _malformed("a scheme that is not HTTP's", "9110 4.2", request(_scheme="ftp")),
        _malformed("a scheme of gRPC's name", "9110 4.2", request(_scheme="grpc")),
        _malformed("the other scheme", "9113 8.3.1", request(_scheme="https"), OK),
        _malformed("a scheme in capitals", "9110 4.2.3", request(_scheme="HTTP"), OK),
        _malformed("a method that is no token", "9110 9.1", request(_method="PO ST")),
        _malformed("CONNECT with a path", "9113 8.5", request(_method="CONNECT")),
        _malformed("an authority with a user", "9113 8.3.1", request(_authority="user@localhost")),
        _malformed("an authority that is none", "9113 8.3.1", request(_authority="local host")),
        _malformed(
            "a host that differs from the authority",
            "9113 8.3.1",
            request(add=[("host", "elsewhere.example")]),
        ),
        _malformed(
            "two hosts",
            "9110 7.2",
            request(drop=[":authority"], add=[("host", "localhost"), ("host", "localhost")]),
        ),
        _malformed(
            "a host that agrees with the authority",
            "9113 8.3.1",
            request(add=[("host", "LocalHost")]),
            OK,
        ),
        _malformed(
            "a host alone",
            "9113 8.3.1",
            request(drop=[":authority"], add=[("host", "localhost")]),
            OK,
        ),
    ]
    + [
        _malformed(f"an authority of {value}", "9110 4.2", request(_authority=value))
        for value in ("localhost:65536", "localhost:x", "a,b", ":80", "a:1:2", "localhost/x")
    ]
    + [
        _malformed(
            f"a host alone of {value}",
            "9110 7.2",
            request(drop=[":authority"], add=[("host", value)]),
        )
        for value in ("user@localhost", "localhost:65536", "a,b", "a b", "")
    ]
    + [
        _malformed(f"an authority of {value}", "9110 4.2", request(_authority=value), OK)
        for value in ("localhost:65535", "127.0.0.1:80", "[::1]", "[::1]:50051")
    ]
    + [
        Case(
            f"{name} with END_STREAM",
            "9113 8.1.1",
            lambda p, fields=fields: p.headers(1, fields, END_HEADERS | END_STREAM),
            reset(PROTOCOL),
        )
        for name, fields in [
            ("no fields at all", []),
            ("a head without a path", request(drop=[":path"])),
            ("capitals in a name", request(add=[("X-Test", "a")])),
            ("a connection field", request(add=[("connection", "close")])),
        ]
    ]
    + [
        Case(
            "a field block of padding only",
            "9113 8.1.1",
            lambda p: p.send(
                frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x03" + bytes(3))
            ),
            reset(PROTOCOL),
        ),
    ]
    + [
        Case(
            f"{name} in trailers",
            "9113 8.1",
            lambda p, name=name, value=value: (
                p.open(),
                p.headers(1, [(name, value)], END_HEADERS | END_STREAM),
            ),
            reset(PROTOCOL),
        )
        for name, value in [(":path", "/"), (":status", "200"), (":test", "x")]
    ]
    + [
        Case(
            "trailers without END_STREAM",
            "9113 8.1",
            lambda p: (p.open(), p.headers(1, [("a", "b")])),
            reset(PROTOCOL),
        ),
        Case(
            "capitals in trailers",
            "9113 8.2",
            lambda p: (p.open(), p.headers(1, [("A", "b")], END_HEADERS | END_STREAM)),
            reset(PROTOCOL),
        ),
        Case(
            "connection in trailers",
            "9113 8.2.2",
            lambda p: (p.open(), p.headers(1, [("connection", "close")], END_HEADERS | END_STREAM)),
            reset(PROTOCOL),
        ),
    ]
)

FIELDS = [
    _malformed(f"{name}: {value}", "9113 8.2.2", request(add=[(name, value)]))
    for name, value in [
        ("connection", "close"),
        ("connection", "keep-alive"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, deflate"),
        ("te", ""),
    ]
] + [
    _malformed("capitals in a name", "9113 8.2", request(add=[("X-Test", "a")])),
    _malformed("an empty name", "9113 8.2.1", request(add=[("", "a")])),
    _malformed("a colon in a name", "9113 8.2.1", request(add=[("x:y", "a")])),
    _malformed("a space in a name", "9113 8.2.1", request(add=[("x y", "a")])),
    _malformed("a NUL in a name", "9113 8.2.1", request(add=[(b"x\0y", "a")])),
    _malformed("a byte above 0x7f in a name", "9113 8.2.1", request(add=[(b"x\xc3\xa4", "a")])),
    _malformed("DEL in a name", "9113 8.2.1", request(add=[(b"x\x7f", "a")])),
    _malformed("a NUL in a value", "9113 8.2.1", request(add=[("x-test", b"a\0b")])),
    _malformed("a CR in a value", "9113 8.2.1", request(add=[("x-test", b"a\rb")])),
    _malformed("an LF in a value", "9113 8.2.1", request(add=[("x-test", b"a\nb")])),
    _malformed(
        "CR LF and a header in a value", "9113 8.2.1", request(add=[("x-test", b"a\r\nx: y")])
    ),
    _malformed("a value that begins with a space", "9113 8.2.1", request(add=[("x-test", " a")])),
    _malformed("a value that ends with a space", "9113 8.2.1", request(add=[("x-test", "a ")])),
    _malformed("a value that begins with a tab", "9113 8.2.1", request(add=[("x-test", "\ta")])),
    _malformed("a value that ends with a tab", "9113 8.2.1", request(add=[("x-test", "a\t")])),
    _malformed("an empty value", "9110 5.5", request(add=[("x-test", "")]), OK),
    _malformed(
        "a value of other bytes", "9110 5.5", request(add=[("x-test", b"\xe4\xbd\xa0")]), OK
    ),
    _malformed(
        "spaces and tabs within a value", "9110 5.5", request(add=[("x-test", "a \t b")]), OK
    ),
    _malformed(
        "the same field twice", "9110 5.3", request(add=[("x-test", "a"), ("x-test", "b")]), OK
    ),
    _malformed(
        "cookies apart", "9113 8.2.3", request(add=[("cookie", "a=b"), ("cookie", "c=d")]), OK
    ),
]

CONTENT_LENGTHS = [
    _malformed(name, "9113 8.1.1", request(add=[("content-length", value) for value in values]))
    for name, values in [
        ("content-length too small", ["4"]),
        ("content-length too large", ["6"]),
        ("content-length of 0 with a body", ["0"]),
        ("content-length negative", ["-1"]),
        ("content-length with a sign", ["+5"]),
        ("content-length no number", ["five"]),
        ("content-length empty", [""]),
        ("content-length twice, different", ["5", "6"]),
        ("content-length with a fraction", ["5.0"]),
        ("content-length in a list", ["5, 6"]),
        ("content-length that overflows", ["99999999999999999999999"]),
    ]
] + [
    _malformed("content-length right", "9113 8.1.1", request(add=[("content-length", "5")]), OK),
    Case(
        "content-length without a body",
        "9113 8.1.1",
        lambda p: p.headers(1, request(add=[("content-length", "5")]), END_HEADERS | END_STREAM),
        reset(PROTOCOL),
    ),
    Case(
        "content-length and trailers before its end",
        "9113 8.1.1",
        lambda p: (
            p.headers(1, request(add=[("content-length", "9")])),
            p.data(1, EMPTY_MESSAGE, 0),
            p.headers(1, [("a", "b")], END_HEADERS | END_STREAM),
        ),
        reset(PROTOCOL),
    ),
]

TOO_LARGE = [
    _malformed(
        "a list above what the server said",
        "9113 10.5.1",
        request(add=[(f"x-{i}", "y" * 1000) for i in range(15)] + [("x-last", "y" * 800)]),
        http(431),
    ),
    _malformed(
        "too many fields",
        "9113 10.5.1",
        request(add=[(f"x-{i}", "y") for i in range(200)]),
        http(431),
    ),
]

HEADER_CASES = COMPRESSION_CASES + IN_STEP + PSEUDO_HEADERS + FIELDS + CONTENT_LENGTHS + TOO_LARGE
