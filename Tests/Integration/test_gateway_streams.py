"""The gateway before several backends of one service: all four kinds of call go through untouched.

The backends are rpc-interop-servers, and servers of grpcio where the test has to see inside.
"""

import queue
import signal

import grpc
import pytest

from clients import Client
from contracts import refused
from fronted import Fronted
from interop import (
    INITIAL, TRAILING, InteropServer, WatchedBackend, output_request)
from processes import wait_until
from stubs import testing

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def interop_servers(folder, binaries):
    servers = [InteropServer(binaries, folder) for _ in range(2)]
    yield servers
    for server in servers:
        server.child.kill()


@pytest.fixture(scope="module")
def pair(folder, binaries, interop_servers):
    """Before two rpc-interop-servers."""
    fronted = Fronted(folder / "pair", binaries, [server.address for server in interop_servers])
    yield fronted
    fronted.suite.close()


@pytest.fixture(scope="module")
def stub(pair):
    return pair.stub()


@pytest.fixture
def watched(folder, binaries):
    """Before two backends that the test watches; (gateway, backends)."""
    backends = [WatchedBackend(name) for name in ("one", "two")]
    fronted = Fronted(
        folder / f"watched-{backends[0].port}", binaries,
        [f"127.0.0.1:{backend.port}" for backend in backends])
    yield fronted, backends
    fronted.suite.close()
    for backend in backends:
        backend.close()


def payload(size):
    return testing.Payload(body=bytes(size))


# Four kinds of call


def test_unary(stub):
    answer = stub.UnaryCall(testing.SimpleRequest(response_size=314_159, payload=payload(271_828)))
    assert len(answer.payload.body) == 314_159


def test_client_streaming(stub):
    sizes = range(1, 2_001)
    answer = stub.StreamingInputCall(
        testing.StreamingInputCallRequest(payload=payload(size)) for size in sizes)
    assert answer.aggregated_payload_size == sum(sizes)


def test_server_streaming(stub):
    sizes = [index * 31 % 60_000 for index in range(400)]
    answers = stub.StreamingOutputCall(output_request(*sizes))
    assert [len(answer.payload.body) for answer in answers] == sizes


def test_bidirectional_streaming_message_by_message(stub):
    requests = queue.Queue()
    call = stub.FullDuplexCall(iter(requests.get, None))
    for size in (31_415, 9, 2_653, 58_979):
        requests.put(output_request(size, payload=payload(1_000)))
        assert len(next(call).payload.body) == size
    requests.put(None)
    assert list(call) == []


def test_a_stream_larger_than_every_window(stub):
    """40 MB each way at once, through windows of some hundred KB: nothing is lost or stuck."""
    chunk, count = 200_000, 200
    requests = (output_request(chunk, payload=payload(chunk)) for _ in range(count))
    answers = stub.FullDuplexCall(requests, timeout=60)
    assert [len(answer.payload.body) for answer in answers] == [chunk] * count


def test_metadata_goes_through_both_ways(stub):
    metadata = [(INITIAL, "驿家".encode().hex()), (TRAILING, b"\x00\xff\x0a")]
    _, call = stub.UnaryCall.with_call(testing.SimpleRequest(), metadata=metadata)
    assert dict(call.initial_metadata())[INITIAL] == metadata[0][1]
    assert dict(call.trailing_metadata())[TRAILING] == metadata[1][1]


@pytest.mark.parametrize("code", [code for code in CODE if code != CODE.OK], ids=str)
def test_a_backends_status_goes_through_untouched(stub, code):
    status = testing.EchoStatus(code=code.value[0], message="状态 ☺\n%")
    told = refused(stub.UnaryCall, testing.SimpleRequest(response_status=status))
    assert (told.code, told.message, told.reason) == (code, "状态 ☺\n%", "")


def test_an_unimplemented_method_is_the_backends_answer(stub):
    told = refused(stub.UnimplementedCall, testing.Empty())
    assert (told.code, told.domain) == (CODE.UNIMPLEMENTED, "")


def test_the_policy_of_an_opaque_service_holds(pair):
    viewer = refused(pair.stub("viewer").EmptyCall, testing.Empty())
    assert (viewer.code, viewer.reason) == (CODE.PERMISSION_DENIED, "ROLE")
    nobody = refused(pair.stub(None).EmptyCall, testing.Empty())
    assert (nobody.code, nobody.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")


def test_a_thousand_calls_at_once(stub):
    calls = [
        stub.UnaryCall.future(testing.SimpleRequest(response_size=size), timeout=60)
        for size in range(1, 1_001)]
    assert [len(call.result().payload.body) for call in calls] == list(range(1, 1_001))


# What the backend sees


def test_calls_go_round_all_backends(watched):
    fronted, backends = watched
    stub = fronted.stub()
    # At the start one backend may be connected before the other.
    wait_until(lambda: stub.UnaryCall(testing.SimpleRequest()) and all(b.calls for b in backends),
               what="both backends")
    before = [backend.calls for backend in backends]
    for _ in range(40):
        stub.UnaryCall(testing.SimpleRequest())
    assert [backend.calls - count for backend, count in zip(backends, before)] == [20, 20]


def test_the_backend_gets_metadata_and_the_deadline_but_no_credential(watched):
    fronted, backends = watched
    fronted.stub(extra=[("x-trace", "7"), ("yijia-caller-bin", b"forged")]).UnaryCall(
        testing.SimpleRequest(), timeout=9)
    [backend] = [backend for backend in backends if backend.calls]
    assert backend.metadata["x-trace"] == "7"
    assert not {"x-api-key", "authorization", "yijia-caller-bin"} & set(backend.metadata)
    assert 7 < backend.remaining <= 9


def test_a_hanging_backend_does_not_outlive_the_deadline(watched):
    fronted, backends = watched
    told = refused(fronted.stub().EmptyCall, testing.Empty(), timeout=0.5)
    assert told.code == CODE.DEADLINE_EXCEEDED
    [backend] = [backend for backend in backends if backend.calls]
    assert backend.remaining <= 0.5
    assert backend.cancelled.wait(5), "the backend was not told"


def started(backends, call):
    """The backend at which the call has arrived."""

    def arrived():
        assert not call.done(), call.code()
        return next((backend for backend in backends if backend.started.is_set()), None)

    return wait_until(arrived, what="the call")


@pytest.mark.parametrize("kind", ["unary", "streaming"])
def test_a_clients_cancellation_reaches_the_backend(watched, kind):
    fronted, backends = watched
    stub = fronted.stub()
    if kind == "unary":
        call = stub.EmptyCall.future(testing.Empty())
    else:
        call = stub.StreamingOutputCall(output_request(1))
        next(call)
    backend = started(backends, call)
    call.cancel()
    assert backend.cancelled.wait(5), "the backend was not told"


def test_a_client_that_goes_away_is_a_cancellation(watched):
    fronted, backends = watched
    client = Client(
        fronted.suite.gateway, fronted.suite.authority, fronted.suite.metadata("partner"))
    call = testing.TestServiceStub(client.intercepted).EmptyCall.future(testing.Empty())
    backend = started(backends, call)
    client.close()
    assert backend.cancelled.wait(5), "the backend was not told"
    assert call.code() == CODE.CANCELLED


# Backends that die: last, for they leave one less.


def test_a_killed_backend_breaks_its_stream_and_the_other_serves(
        folder, binaries, pair, interop_servers, stub):
    open_calls = []
    for _ in range(2):  # round robin: one stream on each
        requests = queue.Queue()
        requests.put(output_request(5))
        call = stub.FullDuplexCall(iter(requests.get, None), timeout=60)
        next(call)
        open_calls.append((call, requests))
    victim, survivor = interop_servers
    victim.child.kill()
    ended = []
    for call, requests in open_calls:
        requests.put(output_request(6))
        try:
            next(call)
            requests.put(None)
            assert list(call) == []
        except grpc.RpcError as error:
            ended.append(error.code())
    assert ended == [CODE.UNAVAILABLE]
    for _ in range(20):
        stub.EmptyCall(testing.Empty())
    # It comes back, and takes its share again: with the other stopped it serves alone.
    interop_servers[0] = InteropServer(binaries, folder, port=victim.port)
    survivor.child.send(signal.SIGTERM)
    survivor.child.wait(20)

    def serves_again():
        try:
            return stub.EmptyCall(testing.Empty(), timeout=2) is not None
        except grpc.RpcError as error:
            assert error.code() in (CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED)
            return False

    wait_until(serves_again, 20, "the backend that came back")


def test_a_broken_stream_says_that_the_outcome_is_not_known(pair, interop_servers, stub):
    call = stub.FullDuplexCall(iter([output_request(3, 4, interval_us=1_000_000)] * 30))
    next(call)
    interop_servers[0].child.kill()
    told = refused(lambda: call)
    assert (told.code, told.reason, told.domain) == (
        CODE.UNAVAILABLE, "BACKEND_LOST", "gateway.yijia")
    assert told.retry_seconds


def test_without_any_backend_it_is_unavailable(pair, interop_servers, stub):
    for server in interop_servers:
        server.child.kill()
    told = refused(stub.EmptyCall, testing.Empty())
    assert (told.code, told.reason) == (CODE.UNAVAILABLE, "BACKEND_UNAVAILABLE")
    assert told.retry_seconds
