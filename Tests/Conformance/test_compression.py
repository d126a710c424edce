"""Compression flags, message by message: what grpcio cannot see or choose."""

import pytest

from rawgrpc import call, decoded, framed
from stubs import testing

SERVICE = "/grpc.testing.TestService/"
GZIP = ("grpc-encoding", "gzip")
ACCEPT = ("grpc-accept-encoding", "identity,deflate,gzip")


def flag(value):
    return testing.BoolValue(value=value)


def payload(size):
    return testing.Payload(body=bytes(size))


@pytest.fixture(scope="module")
def port(world):
    return world.server("plaintext").port


@pytest.mark.parametrize("wanted", [True, False])
def test_server_compressed_unary_sets_the_flag(port, wanted):
    request = testing.SimpleRequest(
        response_size=314_159, payload=payload(271_828), response_compressed=flag(wanted))
    answer = call(port, SERVICE + "UnaryCall", [framed(request)], [ACCEPT])
    assert answer.trailers["grpc-status"] == "0"
    assert [message.flag for message in answer.messages] == [wanted]
    assert decoded(answer.messages[0], testing.SimpleResponse).payload.body == bytes(314_159)
    assert answer.headers.get("grpc-encoding", "identity") == ("gzip" if wanted else "identity")


def test_server_compressed_streaming_sets_the_flag_of_each_message(port):
    request = testing.StreamingOutputCallRequest(response_parameters=[
        testing.ResponseParameters(size=31_415, compressed=flag(True)),
        testing.ResponseParameters(size=92_653, compressed=flag(False))])
    answer = call(port, SERVICE + "StreamingOutputCall", [framed(request)], [ACCEPT])
    assert [message.flag for message in answer.messages] == [1, 0]
    sizes = [len(decoded(message, testing.StreamingOutputCallResponse).payload.body)
             for message in answer.messages]
    assert sizes == [31_415, 92_653]


def test_a_client_that_accepts_nothing_gets_nothing_compressed(port):
    request = testing.SimpleRequest(response_size=10_000, response_compressed=flag(True))
    for headers in ([], [("grpc-accept-encoding", "identity")], [("grpc-accept-encoding", "br")]):
        answer = call(port, SERVICE + "UnaryCall", [framed(request)], headers)
        assert [message.flag for message in answer.messages] == [0]
        assert "grpc-encoding" not in answer.headers


def test_client_compressed_streaming_may_mix(port):
    requests = [
        testing.StreamingInputCallRequest(expect_compressed=flag(value), payload=payload(size))
        for value, size in [(True, 27_182), (False, 45_904)]]
    chunks = [framed(request, request.expect_compressed.value) for request in requests]
    answer = call(port, SERVICE + "StreamingInputCall", chunks, [GZIP])
    assert answer.trailers["grpc-status"] == "0"
    total = decoded(answer.messages[0], testing.StreamingInputCallResponse)
    assert total.aggregated_payload_size == 73_086


def test_an_unknown_encoding_is_unimplemented_and_the_known_ones_are_named(port):
    answer = call(
        port, SERVICE + "UnaryCall", [framed(testing.SimpleRequest())],
        [("grpc-encoding", "snappy")])
    assert answer.headers["grpc-status"] == "12"
    named = answer.headers["grpc-accept-encoding"].replace(" ", "").split(",")
    assert {"gzip", "deflate", "identity"} <= set(named)


@pytest.mark.parametrize("headers", [[], [("grpc-encoding", "identity")]], ids=["none", "identity"])
def test_a_compressed_message_without_an_encoding_is_internal(port, headers):
    chunk = framed(testing.SimpleRequest(payload=payload(1_000)), compressed=True)
    for method in ("UnaryCall", "FullDuplexCall"):
        answer = call(port, SERVICE + method, [chunk], headers)
        assert answer.trailers["grpc-status"] == "13"


def test_what_is_not_gzip_is_internal(port):
    answer = call(port, SERVICE + "UnaryCall", [b"\x01\x00\x00\x00\x04junk"], [GZIP])
    assert answer.trailers["grpc-status"] == "13"


def test_a_bomb_is_refused_without_its_memory(world, port):
    bomb = framed(testing.SimpleRequest(payload=payload(64 << 20)), compressed=True)
    assert len(bomb) < 70_000
    before = _peak_bytes(world)
    for _ in range(10):
        answer = call(port, SERVICE + "UnaryCall", [bomb], [GZIP])
        assert answer.trailers["grpc-status"] == "8"
    # The limit of a message is 4 MiB: not once 64, let alone ten times.
    assert _peak_bytes(world) - before < 32 << 20


def _peak_bytes(world):
    with open(f"/proc/{world.server('plaintext').child.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
