"""Hostile peers against the real server: every rule a server must enforce, with its answer."""

import pytest

import hostile
from hostile_frames import FRAME_CASES
from hostile_grpc import GRPC_CASES
from hostile_headers import HEADER_CASES
from hostile_server import Server
from hostile_states import STATE_CASES

CASES = FRAME_CASES + STATE_CASES + HEADER_CASES + GRPC_CASES
# Over TLS the same session sits behind another handler: a sample shows that it does.
TLS_CASES = CASES[::12]


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


@pytest.mark.parametrize("case", TLS_CASES, ids=_name)
def test_tls(case, tls_port):
    hostile.judge(case, tls_port, tls=True)


def test_unknown_encoding_names_the_known_ones(plaintext_port):
    peer = hostile.Peer(plaintext_port)
    try:
        peer.greet()
        peer.call(grpc_encoding="br")
        assert peer.outcome(1) == "grpc:12"
        assert "identity" in peer.answers[1]["grpc-accept-encoding"]
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
