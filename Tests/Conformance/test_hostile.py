"""Hostile peers against the real server: every rule a server must enforce, with its answer."""

import socket
import ssl
import time

import pytest

import hostile
from hostile_details import DETAIL_CASES
from hostile_frames import FRAME_CASES
from hostile_grpc import GRPC_CASES
from hostile_headers import HEADER_CASES
from hostile_limits import LIMIT_CASES
from hostile_moves import PAUSE, call_head
from hostile_requests import REQUEST_CASES
from hostile_server import Server
from hostile_states import STATE_CASES
from hostile_trailers import TRAILER_CASES

CASES = (
    FRAME_CASES
    + STATE_CASES
    + HEADER_CASES
    + TRAILER_CASES
    + GRPC_CASES
    + LIMIT_CASES
    + DETAIL_CASES
    + REQUEST_CASES
)
# Over TLS the same session sits behind another handler: a sample shows that it does.
TLS_CASES = CASES[::12]
# The answer does not depend on how the bytes arrive.
CASES_IN_PIECES = CASES[1::6]


@pytest.fixture(scope="module")
def plaintext_port():
    with Server() as server:
        yield server.port
        assert server.is_running, "the server did not survive"


@pytest.fixture(scope="module")
def tls_port():
    with Server(tls=True) as server:
        yield server.port
        assert server.is_running, "the server did not survive"


def _name(case):
    return case.name


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_plaintext(case, plaintext_port):
    hostile.judge(case, plaintext_port)


@pytest.mark.parametrize("case", CASES_IN_PIECES, ids=_name)
def test_in_pieces(case, plaintext_port):
    hostile.judge(case, plaintext_port, in_pieces=True)


@pytest.mark.parametrize("case", TLS_CASES, ids=_name)
def test_tls(case, tls_port):
    hostile.judge(case, tls_port, tls=True)


def _handshake(port, suite):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        with context.wrap_socket(plain) as secured:
            return secured.cipher()[0]


def test_tls_1_2_has_no_suite_that_http2_prohibits(tls_port):
    keys = ("ECDHE-RSA", "ECDHE-ECDSA")
    for suite in ("AES128-SHA", "AES256-SHA384", "AES128-SHA256"):
        offered = ":".join(f"{key}-{suite}" for key in keys)
        with pytest.raises(ssl.SSLError):
            _handshake(tls_port, f"{offered}:AES128-SHA:AES128-GCM-SHA256")
    offered = ":".join(f"{key}-AES128-GCM-SHA256" for key in keys)
    assert _handshake(tls_port, offered).endswith("AES128-GCM-SHA256")


def test_unknown_encoding_names_the_known_ones(plaintext_port):
    peer = hostile.Peer(plaintext_port)
    try:
        peer.greet()
        peer.call(grpc_encoding="br")
        assert peer.outcome(1) == "grpc:12"
        assert "identity" in peer.answers[1]["grpc-accept-encoding"]
    finally:
        peer.close()


_CALL = call_head(method="UnaryCall") + hostile.frame(
    hostile.DATA, hostile.END_STREAM, 1, hostile.EMPTY_MESSAGE
)


@pytest.mark.parametrize("pause", [0, 0.05])
@pytest.mark.parametrize(
    ("name", "raw", "want"),
    [
        ("a call", _CALL, "grpc:0"),
        ("a stream", call_head() + hostile.frame(hostile.DATA, hostile.END_STREAM, 1), "grpc:0"),
        ("an unknown method", call_head(method="Nothing"), "grpc:12"),
        ("a malformed frame", hostile.frame(hostile.PING, 0, 1, bytes(8)), "goaway:1"),
        ("a frame behind a call", _CALL + hostile.frame(hostile.PING, 0, 0), "goaway:6"),
        (
            "a malformed head",
            hostile.frame(
                hostile.HEADERS,
                hostile.END_HEADERS | hostile.END_STREAM,
                1,
                hostile.block(hostile.request(drop=[":path"])),
            ),
            "reset:1",
        ),
        (
            "a GET",
            hostile.frame(
                hostile.HEADERS,
                hostile.END_HEADERS | hostile.END_STREAM,
                1,
                hostile.block(hostile.request(_method="GET")),
            ),
            "http:405",
        ),
        ("half a call", call_head(method="UnaryCall"), "closed"),
    ],
)
def test_a_client_that_ends_its_side_is_answered(plaintext_port, name, raw, want, pause):
    peer = hostile.Peer(plaintext_port)
    try:
        peer.send(hostile.PREFACE, hostile.settings(), raw)
        time.sleep(pause)  # the FIN comes with the request, or when that was surely read
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.until(lambda: peer.is_closed), name
        assert peer.outcome(1) == want
    finally:
        peer.close()


def test_a_call_under_way_when_its_client_ends_its_side_has_a_second(plaintext_port):
    peer = hostile.Peer(plaintext_port)
    try:
        peer.greet()
        # An answer after three seconds.
        peer.call(1, PAUSE, "FullDuplexCall")
        began = time.monotonic()
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.ends() and peer.outcome(1) == "closed"
        assert 0.5 < time.monotonic() - began < 2.9
    finally:
        peer.close()


def test_a_client_that_says_goodbye_is_told_so_too(plaintext_port):
    peer = hostile.Peer(plaintext_port)
    try:
        peer.greet()
        peer.complete(1)
        peer.send(hostile.frame(hostile.GOAWAY, 0, 0, bytes(8)))
        assert peer.ends()
        assert [(last, code) for last, code, _ in peer.goaways] == [(1, hostile.NO_ERROR)]
    finally:
        peer.close()


def test_a_goaway_names_the_last_stream_that_was_taken(plaintext_port):
    peer = hostile.Peer(plaintext_port)
    try:
        peer.greet()
        peer.complete(7)
        peer.send(hostile.frame(hostile.PING, 0, 1, bytes(8)))
        assert peer.until(lambda: peer.goaways)
        assert peer.goaways[0][:2] == (7, hostile.PROTOCOL)
    finally:
        peer.close()
