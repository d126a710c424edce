"""Floods: a peer that sends one thing without end is cut off, soon, and costs little memory."""

import gzip
import struct
import zlib

import pytest

from hostile import *  # noqa: F403: frames by name
from hostile_moves import call_head
from hostile_server import Server

# More of a kind than any limit allows at once.
MANY = 40_000
MEMORY_GROWTH_MAX = 64 << 20
# What a connection may hold of requests and of responses, some of it twice for a moment.
WAITING_MAX = 400 << 20
_CALL = block(request("FullDuplexCall"))


def _each_stream(build, count=MANY):
    return b"".join(build(2 * i + 3) for i in range(count))


def _head(stream, fields=_CALL, flags=END_HEADERS):
    return frame(HEADERS, flags, stream, fields)


FLOODS = {
    "SETTINGS": settings((WINDOW_SIZE, 65_535)) * MANY,
    "PING": frame(PING, 0, 0, bytes(8)) * MANY,
    "empty DATA": call_head() + frame(DATA, 0, 1) * MANY,
    "DATA that is all padding": call_head() + frame(DATA, PADDED, 1, b"\x03" + bytes(3)) * MANY,
    "PRIORITY": frame(PRIORITY, 0, 7, struct.pack(">IB", 3, 1)) * MANY,
    "WINDOW_UPDATE": call_head() + window_update(1, 1) * MANY,
    "unknown frames": frame(0x77, 0, 0, b"x") * MANY,
    "rapid reset (CVE-2023-44487)": _each_stream(lambda s: _head(s) + rst(s), 5_000),
    "server-made resets (CVE-2025-8671)": _each_stream(
        lambda s: _head(s) + window_update(s, 0), 5_000
    ),
    "malformed heads": _each_stream(lambda s: _head(s, literal("a", "b")), 5_000),
    "streams beyond the limit": _each_stream(_head, 5_000),
    "DATA on a stream that was reset": call_head() + rst(1) + frame(DATA, 0, 1, b"x") * MANY,
    "empty DATA on a stream that the server has reset": call_head()
    + window_update(1, 0)
    + frame(DATA, 0, 1) * MANY,
    "HEADERS on a stream that the server has reset": call_head()
    + window_update(1, 0)
    + _head(1, flags=END_HEADERS | END_STREAM) * MANY,
    "answers to no PING": frame(PING, ACK, 0, bytes(8)) * MANY,
    "GOAWAY": call_head() + frame(GOAWAY, 0, 0, bytes(8)) * MANY,
    "CONTINUATION": frame(HEADERS, 0, 1, _CALL)
    + frame(CONTINUATION, 0, 1, literal("a", "b")) * MANY,
    "empty CONTINUATION": frame(HEADERS, 0, 1, _CALL) + frame(CONTINUATION, 0, 1) * MANY,
    "an HPACK bomb": _head(1, _CALL + b"\x40\x01a" + integer(4000, 7) + bytes([120]) * 4000)
    + _head(3, _CALL + b"\xbe" * 16_000),
}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server
        assert server.is_running, "the server did not survive"


def _call_works(port):
    peer = Peer(port)
    try:
        peer.greet()
        peer.call()
        return peer.outcome(1) == "grpc:0"
    finally:
        peer.close()


@pytest.mark.parametrize("name", FLOODS)
def test_flood(name, server):
    assert _call_works(server.port)
    before = server.resident_bytes()
    peer = Peer(server.port)
    try:
        peer.greet()
        peer.send(FLOODS[name])
        assert peer.until(lambda: peer.failure() is not None)
        assert peer.failure() == CALM
        assert peer.ends() and not peer.was_reset
    finally:
        peer.close()
    assert server.resident_bytes() - before < MEMORY_GROWTH_MAX
    assert _call_works(server.port)


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_bomb_of_compression_is_not_unpacked(kind, server):
    import zlib

    plain = bytes(64 << 20)
    bomb = gzip.compress(plain, 9) if kind == "gzip" else zlib.compress(plain, 9)
    body = message(bomb, 1)
    frames = [frame(DATA, 0, 1, body[i : i + 16_384]) for i in range(0, len(body), 16_384)]
    _call_works(server.port)
    before = server.resident_bytes()
    peer = Peer(server.port)
    try:
        peer.greet()
        peer.headers(1, request("UnaryCall", grpc_encoding=kind))
        peer.send(*frames, frame(DATA, END_STREAM, 1))
        assert peer.outcome(1) == "grpc:8"
    finally:
        peer.close()
    assert server.resident_bytes() - before < MEMORY_GROWTH_MAX


def test_answers_no_window_lets_go_are_bounded(server):
    """Calls that ask for 256 MB together, and no window: the rest waits for room."""
    _call_works(server.port)
    before = server.resident_bytes()
    peer = Peer(server.port)
    try:
        peer.greet((WINDOW_SIZE, 0))
        for i in range(250):
            peer.call(2 * i + 1, message(b"\x10\x80\x80\x40"))
        assert peer.ping()
        assert _call_works(server.port)
        assert server.resident_bytes() - before < MEMORY_GROWTH_MAX
        # The first one is let go, and others are made.
        peer.send(settings((WINDOW_SIZE, 0x7FFFFFFF)), window_update(0, 0x7FFF0000 - 65_535))
        assert all(peer.outcome(2 * i + 1) == "grpc:0" for i in range(250))
    finally:
        peer.close()


def _whole_requests(peer, bodies, first):
    """Calls with those bodies, which grow together as far as the server gives credit."""
    streams = {first + 2 * i: body for i, body in enumerate(bodies)}
    sent = dict.fromkeys([0, *streams], 0)

    def room(stream, start):
        return start + peer.windows.get(stream, 0) - sent[stream]

    def credit(stream):
        return min(room(0, 65_535), room(stream, peer.settings[WINDOW_SIZE]))

    for stream, fields in streams.items():
        peer.headers(stream, request("UnaryCall", **({} if fields[0] == 0 else DEFLATED)))
    while streams:
        for stream, body in list(streams.items()):
            if peer.answered(stream):
                del streams[stream]
                continue
            count = min(16_384, len(body) - sent[stream], credit(stream))
            if count <= 0:
                continue
            at = sent[stream]
            ends = at + count == len(body)
            peer.send(frame(DATA, END_STREAM if ends else 0, stream, body[at : at + count]))
            sent[stream] += count
            sent[0] += count
            if ends:
                del streams[stream]
        assert peer.until(
            lambda: not streams or any(credit(i) > 0 or peer.answered(i) for i in streams)
        )


DEFLATED = {"grpc_encoding": "deflate"}


def _field(number, value):
    length, rest = bytearray(), len(value)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + value


# A payload of four MiB, almost.
LARGE = message(_field(3, _field(2, bytes((4 << 20) - 1_000))))


@pytest.mark.parametrize("deflated", [False, True], ids=["plain", "deflated"])
def test_whole_requests_that_wait_are_bounded(server, deflated):
    """Requests of 600 MB together, which wait for room, or for their turn to be unpacked."""
    _call_works(server.port)
    before = server.resident_bytes()
    peer = Peer(server.port)
    body = message(zlib.compress(LARGE[5:], 0), 1) if deflated else LARGE
    try:
        peer.greet((WINDOW_SIZE, 0))
        if not deflated:
            for i in range(10):
                peer.call(2 * i + 1, message(b"\x10\x80\x80\x80\x02"))
            assert peer.ping()
        _whole_requests(peer, [body] * 150, 101)
        assert peer.ping()
        assert server.resident_bytes() - before < WAITING_MAX
        assert _call_works(server.port)
        statuses = {answer.get("grpc-status") for answer in peer.answers.values()}
        assert deflated or "8" in statuses, statuses
    finally:
        peer.close()


def test_pings_that_come_too_often_are_named(server):
    peer = Peer(server.port)
    try:
        peer.greet()
        peer.send(frame(PING, 0, 0, bytes(8)) * 4)
        assert peer.until(lambda: peer.goaways)
        assert peer.goaways[0][1:] == (CALM, b"too_many_pings")
    finally:
        peer.close()


def test_a_peer_may_ping_for_the_data_it_gets(server):
    """grpc-go measures its bandwidth with a ping in each round trip that brings it data."""
    peer = Peer(server.port)
    try:
        peer.greet()
        peer.open(1)
        for count in range(1_500):
            peer.data(1, message(b"\x12\x02\x08\x01"), 0)  # one response, of one byte
            before = peer.received.get(1, 0)
            assert peer.until(lambda: peer.received.get(1, 0) > before), f"response {count}"
            assert peer.ping(), f"ping {count}: {peer.goaways}"
        peer.data(1, b"")
        assert peer.outcome(1) == "grpc:0"
    finally:
        peer.close()


def test_a_server_that_stops_says_so_twice():
    with Server() as server:
        peer = Peer(server.port)
        try:
            peer.greet()
            peer.open(1)
            assert peer.ping()
            server.process.terminate()
            assert peer.until(lambda: len(peer.goaways) == 2)
            assert [goaway[:2] for goaway in peer.goaways] == [(2**31 - 1, NO_ERROR), (1, NO_ERROR)]
            peer.data(1, b"")
            assert peer.outcome(1) == "grpc:0"
            assert peer.ends()
        finally:
            peer.close()
