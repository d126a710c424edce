"""The standard interoperability tests: grpcio as the client of rpc-interop-server.

Source: https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
"""

import queue
import subprocess
import threading

import grpc
import pytest

from clients import CHANNEL_OPTIONS
from contracts import refused
from interop import INITIAL, TRAILING, InteropServer, output_request, plain_stub
from processes import wait_until
from stubs import testing
from suite import Ports

CODE = grpc.StatusCode
REQUEST_SIZES, RESPONSE_SIZES = (27_182, 8, 1_828, 45_904), (31_415, 9, 2_653, 58_979)
MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


@pytest.fixture(scope="module")
def development_tls(folder, binaries):
    """Certificate, key and authority of a development suite."""
    made = folder / "tls-source"
    subprocess.run([binaries / "yijia", "dev", "--prepare"], check=True, timeout=60,
                   env=Ports().environment(made))
    return made / "tls/gateway.crt", made / "tls/gateway.key", made / "tls/authority.crt"


@pytest.fixture(scope="module", params=["plaintext", "tls"])
def channel(request, folder, binaries):
    tls = request.getfixturevalue("development_tls") if request.param == "tls" else None
    server = InteropServer(binaries, folder, tls=tls and tls[:2])
    if tls:
        credentials = grpc.ssl_channel_credentials(tls[2].read_bytes())
        channel = grpc.secure_channel(f"localhost:{server.port}", credentials, CHANNEL_OPTIONS)
    else:
        channel = grpc.insecure_channel(server.address, CHANNEL_OPTIONS)
    yield channel
    channel.close()
    assert server.child.stop(20) == 0


@pytest.fixture(scope="module")
def stub(channel):
    return testing.TestServiceStub(channel)


def payload(size):
    return testing.Payload(body=bytes(size))


def test_empty_unary(stub):
    assert stub.EmptyCall(testing.Empty(), timeout=10) == testing.Empty()


def test_large_unary(stub):
    answer = stub.UnaryCall(
        testing.SimpleRequest(response_size=314_159, payload=payload(271_828)), timeout=10)
    assert answer.payload.body == bytes(314_159)


def test_client_streaming(stub):
    requests = (testing.StreamingInputCallRequest(payload=payload(n)) for n in REQUEST_SIZES)
    answer = stub.StreamingInputCall(requests, timeout=10)
    assert answer.aggregated_payload_size == sum(REQUEST_SIZES) == 74_922


def test_server_streaming(stub):
    answers = stub.StreamingOutputCall(output_request(*RESPONSE_SIZES), timeout=10)
    assert [len(answer.payload.body) for answer in answers] == list(RESPONSE_SIZES)


def test_ping_pong(stub):
    requests = queue.Queue()
    call = stub.FullDuplexCall(iter(requests.get, None), timeout=10)
    for asked, given in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.put(output_request(given, payload=payload(asked)))
        assert len(next(call).payload.body) == given
    requests.put(None)
    assert list(call) == []


def test_empty_stream(stub):
    assert list(stub.FullDuplexCall(iter(()), timeout=10)) == []


def test_half_duplex(stub):
    requests = [output_request(size) for size in RESPONSE_SIZES]
    answers = stub.HalfDuplexCall(iter(requests), timeout=10)
    assert [len(answer.payload.body) for answer in answers] == list(RESPONSE_SIZES)


@pytest.mark.parametrize("kind", ["unary", "streaming"])
def test_custom_metadata(stub, kind):
    metadata = [(INITIAL, "test_initial_metadata_value"), (TRAILING, b"\x0a\x0b\x0a\x0b\x0a\x0b")]
    if kind == "unary":
        _, call = stub.UnaryCall.with_call(
            testing.SimpleRequest(response_size=9), metadata=metadata, timeout=10)
    else:
        call = stub.FullDuplexCall(iter([output_request(9)]), metadata=metadata, timeout=10)
        list(call)
    assert dict(call.initial_metadata())[INITIAL] == "test_initial_metadata_value"
    assert dict(call.trailing_metadata())[TRAILING] == b"\x0a\x0b\x0a\x0b\x0a\x0b"


@pytest.mark.parametrize("message", ["test status message", MESSAGE], ids=["plain", "special"])
def test_status_code_and_message(stub, message):
    status = testing.EchoStatus(code=2, message=message)
    for told in (
            refused(stub.UnaryCall, testing.SimpleRequest(response_status=status), timeout=10),
            refused(stub.FullDuplexCall, iter([output_request(response_status=status)]),
                    timeout=10)):
        assert (told.code, told.message) == (CODE.UNKNOWN, message)


@pytest.mark.parametrize("code", [code for code in CODE if code != CODE.OK], ids=str)
def test_every_code_arrives(stub, code):
    status = testing.EchoStatus(code=code.value[0], message="m")
    told = refused(stub.UnaryCall, testing.SimpleRequest(response_status=status), timeout=10)
    assert told.code == code


def test_unimplemented_method(stub):
    assert refused(stub.UnimplementedCall, testing.Empty(), timeout=10).code == CODE.UNIMPLEMENTED


def test_unimplemented_service(channel):
    stub = testing.UnimplementedServiceStub(channel)
    assert refused(stub.UnimplementedCall, testing.Empty(), timeout=10).code == CODE.UNIMPLEMENTED


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


def test_an_oversize_request_is_refused_and_the_connection_lives(stub):
    told = refused(stub.UnaryCall, testing.SimpleRequest(payload=payload(5 << 20)), timeout=20)
    assert told.code == CODE.RESOURCE_EXHAUSTED
    assert stub.EmptyCall(testing.Empty(), timeout=10) == testing.Empty()


def test_a_thousand_calls_at_once(stub):
    calls = [
        stub.UnaryCall.future(testing.SimpleRequest(response_size=size), timeout=30)
        for size in range(1, 1_001)]
    assert [len(call.result().payload.body) for call in calls] == list(range(1, 1_001))


def test_a_stream_of_many_messages_keeps_its_order(stub):
    sizes = [index % 97 + 1 for index in range(5_000)]
    answers = stub.FullDuplexCall((output_request(size) for size in sizes), timeout=60)
    assert [len(answer.payload.body) for answer in answers] == sizes


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_answered_or_refused_by_name(stub, compression):
    """Compression is the next issue's; a server without it says UNIMPLEMENTED, not garbage."""
    try:
        answer = stub.UnaryCall(testing.SimpleRequest(
            response_size=10, payload=payload(10_000)), compression=compression, timeout=10)
        assert len(answer.payload.body) == 10
    except grpc.RpcError as error:
        assert error.code() == CODE.UNIMPLEMENTED


def test_a_stopping_server_lets_an_open_call_finish(folder, binaries):
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
