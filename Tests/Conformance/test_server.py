"""The standard interoperability cases: grpcio as the client of rpc-interop-server, by every route.

Source: https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
"""

import queue
import threading
import time

import grpc
import pytest

from contracts import refused
from interop import INITIAL, TRAILING, InteropServer, output_request, plain_stub
from processes import wait_until
from stubs import testing
from world import ROUTES

CODE = grpc.StatusCode
REQUEST_SIZES, RESPONSE_SIZES = (27_182, 8, 1_828, 45_904), (31_415, 9, 2_653, 58_979)
MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
COMPRESSIONS = [grpc.Compression.Gzip, grpc.Compression.Deflate]


@pytest.fixture(scope="module", params=ROUTES)
def route(request):
    return request.param


@pytest.fixture(scope="module")
def channel(world, route):
    with world.channel(route) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return testing.TestServiceStub(channel)


def payload(size):
    return testing.Payload(body=bytes(size))


def large_request(**fields):
    return testing.SimpleRequest(response_size=314_159, payload=payload(271_828), **fields)


def test_empty_unary(stub):
    assert stub.EmptyCall(testing.Empty(), timeout=20) == testing.Empty()


def test_large_unary(stub):
    assert stub.UnaryCall(large_request(), timeout=20).payload.body == bytes(314_159)


def test_client_streaming(stub):
    requests = (testing.StreamingInputCallRequest(payload=payload(n)) for n in REQUEST_SIZES)
    answer = stub.StreamingInputCall(requests, timeout=20)
    assert answer.aggregated_payload_size == sum(REQUEST_SIZES) == 74_922


def test_server_streaming(stub):
    answers = stub.StreamingOutputCall(output_request(*RESPONSE_SIZES), timeout=20)
    assert [len(answer.payload.body) for answer in answers] == list(RESPONSE_SIZES)


def test_ping_pong(stub):
    requests = queue.Queue()
    call = stub.FullDuplexCall(iter(requests.get, None), timeout=20)
    for asked, given in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.put(output_request(given, payload=payload(asked)))
        assert len(next(call).payload.body) == given
    requests.put(None)
    assert list(call) == []


def test_empty_stream(stub):
    assert list(stub.FullDuplexCall(iter(()), timeout=20)) == []


def test_half_duplex(stub):
    requests = [output_request(size) for size in RESPONSE_SIZES]
    answers = stub.HalfDuplexCall(iter(requests), timeout=20)
    assert [len(answer.payload.body) for answer in answers] == list(RESPONSE_SIZES)


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=str)
def test_client_compressed_unary(stub, compression):
    told = refused(
        stub.UnaryCall, large_request(expect_compressed=testing.BoolValue(value=True)), timeout=20)
    assert told.code == CODE.INVALID_ARGUMENT
    for expected, used in [(True, compression), (False, None)]:
        answer = stub.UnaryCall(
            large_request(expect_compressed=testing.BoolValue(value=expected)),
            compression=used, timeout=20)
        assert answer.payload.body == bytes(314_159)


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=str)
def test_client_compressed_streaming(stub, compression):
    """grpcio compresses a stream's messages all alike; test_compression.py mixes them."""
    request = testing.StreamingInputCallRequest(
        expect_compressed=testing.BoolValue(value=True), payload=payload(27_182))
    told = refused(stub.StreamingInputCall, iter([request]), timeout=20)
    assert told.code == CODE.INVALID_ARGUMENT
    answer = stub.StreamingInputCall(iter([request] * 3), compression=compression, timeout=20)
    assert answer.aggregated_payload_size == 3 * 27_182


@pytest.mark.parametrize("compressed", [True, False])
def test_server_compressed_unary(stub, compressed):
    answer = stub.UnaryCall(
        large_request(response_compressed=testing.BoolValue(value=compressed)), timeout=20)
    assert answer.payload.body == bytes(314_159)


def test_server_compressed_streaming(stub):
    request = testing.StreamingOutputCallRequest(response_parameters=[
        testing.ResponseParameters(size=31_415, compressed=testing.BoolValue(value=True)),
        testing.ResponseParameters(size=92_653, compressed=testing.BoolValue(value=False))])
    answers = stub.StreamingOutputCall(request, timeout=20)
    assert [len(answer.payload.body) for answer in answers] == [31_415, 92_653]


@pytest.mark.parametrize("kind", ["unary", "streaming"])
def test_custom_metadata(stub, kind):
    metadata = [(INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab")]
    if kind == "unary":
        _, call = stub.UnaryCall.with_call(large_request(), metadata=metadata, timeout=20)
    else:
        requests = iter([output_request(314_159, payload=payload(271_828))])
        call = stub.FullDuplexCall(requests, metadata=metadata, timeout=20)
        list(call)
    assert dict(call.initial_metadata())[INITIAL] == "test_initial_metadata_value"
    assert dict(call.trailing_metadata())[TRAILING] == b"\xab\xab\xab"


@pytest.mark.parametrize(
    "message", ["test status message", MESSAGE, " spaces at both ends "],
    ids=["plain", "special", "spaces"])
def test_status_code_and_message(stub, message):
    status = testing.EchoStatus(code=2, message=message)
    for told in (
            refused(stub.UnaryCall, testing.SimpleRequest(response_status=status), timeout=20),
            refused(stub.FullDuplexCall, iter([output_request(response_status=status)]),
                    timeout=20)):
        assert (told.code, told.message) == (CODE.UNKNOWN, message)


@pytest.mark.parametrize("code", [code for code in CODE if code != CODE.OK], ids=str)
def test_every_code_arrives(stub, code):
    status = testing.EchoStatus(code=code.value[0], message="m")
    told = refused(stub.UnaryCall, testing.SimpleRequest(response_status=status), timeout=20)
    assert told.code == code


def test_unimplemented_method(stub):
    assert refused(stub.UnimplementedCall, testing.Empty(), timeout=20).code == CODE.UNIMPLEMENTED


def test_unimplemented_service(channel):
    stub = testing.UnimplementedServiceStub(channel)
    assert refused(stub.UnimplementedCall, testing.Empty(), timeout=20).code == CODE.UNIMPLEMENTED


def test_cancel_after_begin(stub):
    over = threading.Event()

    def requests():
        over.wait(10)
        yield from ()

    call = stub.StreamingInputCall.future(requests())
    call.cancel()
    over.set()
    assert call.cancelled() and call.code() == CODE.CANCELLED


def test_cancel_after_first_response(stub):
    requests = queue.Queue()
    requests.put(output_request(31_415, payload=payload(27_182)))
    call = stub.FullDuplexCall(iter(requests.get, None))
    next(call)
    call.cancel()
    requests.put(None)
    assert refused(lambda: call).code == CODE.CANCELLED


def test_timeout_on_sleeping_server(stub):
    sleeping = output_request(31_415, interval_us=5_000_000, payload=payload(27_182))
    told = refused(stub.FullDuplexCall, iter([sleeping]), timeout=0.05)
    assert told.code == CODE.DEADLINE_EXCEEDED


def test_concurrent_large_unary(stub, route):
    # 1,000 by the standard; 600 MB through Python once is enough.
    count = 1_000 if route == "plaintext" else 100
    calls = [stub.UnaryCall.future(large_request(), timeout=120) for _ in range(count)]
    assert all(call.result().payload.body == bytes(314_159) for call in calls)


def test_rpc_soak(stub):
    """One channel, call after call."""
    slowest = 0
    for _ in range(100):
        start = time.monotonic()
        assert stub.UnaryCall(large_request(), timeout=20).payload.body == bytes(314_159)
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 5, "a call stalled"


def test_channel_soak(world, route):
    """A new channel for each call."""
    for _ in range(25):
        with world.channel(route) as channel:
            answer = testing.TestServiceStub(channel).UnaryCall(large_request(), timeout=20)
        assert answer.payload.body == bytes(314_159)


def test_an_oversize_request_is_refused_and_the_connection_lives(stub):
    told = refused(stub.UnaryCall, testing.SimpleRequest(payload=payload(5 << 20)), timeout=20)
    assert told.code == CODE.RESOURCE_EXHAUSTED
    assert stub.EmptyCall(testing.Empty(), timeout=20) == testing.Empty()


def test_a_stream_of_many_messages_keeps_its_order(stub):
    sizes = [index % 97 + 1 for index in range(3_000)]
    answers = stub.FullDuplexCall((output_request(size) for size in sizes), timeout=60)
    assert [len(answer.payload.body) for answer in answers] == sizes


def test_a_client_without_a_certificate_is_refused(world):
    port = world.server("mtls").port
    with world.channel("tls", port=port) as channel:
        told = refused(testing.TestServiceStub(channel).EmptyCall, testing.Empty(), timeout=5)
    assert told.code in (CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED)


def test_a_stopping_server_lets_an_open_call_finish(binaries, folder):
    server = InteropServer(binaries, folder)
    with plain_stub(server.address) as stub:
        requests = queue.Queue()
        call = stub.FullDuplexCall(iter(requests.get, None), timeout=20)
        requests.put(output_request(7))
        next(call)
        server.child.send(15)

        def refuses_new_calls():
            with plain_stub(server.address) as other:
                try:
                    other.EmptyCall(testing.Empty(), timeout=1)
                except grpc.RpcError:
                    return True
            return False

        wait_until(refuses_new_calls, what="no new connections")
        requests.put(output_request(8))
        assert len(next(call).payload.body) == 8
        requests.put(None)
        assert list(call) == []
    assert server.child.wait(15) == 0
