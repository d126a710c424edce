"""A slow reader of a fast stream, between processes: what our server and its peer hold then."""

import socket

import h2.events
import pytest

from interop import InteropServer, output_request
from processes import wait_until
from rawgrpc import Link, framed, head
from stubs import testing

MESSAGE_BYTES = 10_000
MESSAGES = 5_000
# A window, a queue of 64 KiB and the loops' buffers; not the 50 MB that are asked for.
HELD_BYTES_MAX = 8 << 20


@pytest.fixture
def server(binaries, folder):
    """One of its own, since its memory is measured."""
    server = InteropServer(binaries, folder)
    yield server
    server.close()


def _status_bytes(server, name):
    with open(f"/proc/{server.child.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(name))


def _wait_for_rest(server):
    """Waits until the server uses no more processor time."""
    seen = []

    def is_at_rest():
        with open(f"/proc/{server.child.pid}/stat") as stat:
            seen.append(stat.read().rsplit(")", 1)[1].split()[11:13])
        return len(seen) > 10 and all(ticks == seen[-1] for ticks in seen[-10:])

    wait_until(is_at_rest, what="the server at rest", step=0.03)


def test_a_client_that_gives_no_credit_gets_a_window_and_no_more(server):
    request = output_request(*[MESSAGE_BYTES] * MESSAGES)
    link = Link(socket.create_connection(("127.0.0.1", server.port), 20), True, gives_credit=False)
    before = _status_bytes(server, "VmRSS")
    stream = link.h2.get_next_available_stream_id()
    link.h2.send_headers(stream, head("/grpc.testing.TestService/StreamingOutputCall"))
    link.send(stream, framed(request), end=True)
    received = 0
    while received < 65_535:  # HTTP/2's initial window
        event = link.event()
        assert event is not None
        if isinstance(event, h2.events.DataReceived):
            received += event.flow_controlled_length
    _wait_for_rest(server)
    link.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        while link.event():
            pass
    assert received == 65_535
    assert _status_bytes(server, "VmRSS") - before < HELD_BYTES_MAX
    link.close()


def test_a_grpcio_client_that_reads_late_gets_all_and_costs_little(world, server):
    with world.channel("plaintext", port=server.port) as channel:
        stub = testing.TestServiceStub(channel)
        stub.EmptyCall(testing.Empty(), timeout=20)
        before = _status_bytes(server, "VmHWM")
        answers = stub.StreamingOutputCall(
            output_request(*[MESSAGE_BYTES] * MESSAGES), timeout=120)
        next(answers)
        _wait_for_rest(server)
        assert _status_bytes(server, "VmHWM") - before < HELD_BYTES_MAX
        assert sum(len(answer.payload.body) for answer in answers) == (
            (MESSAGES - 1) * MESSAGE_BYTES)


def test_a_handler_that_is_stuck_stops_a_grpcio_client(world, server):
    """The handler waits for its responses to be read, so it reads no requests."""
    taken = []

    def requests():
        for index in range(500):
            taken.append(index)
            yield output_request(100_000, payload=testing.Payload(body=bytes(100_000)))

    with world.channel("plaintext", port=server.port) as channel:
        stub = testing.TestServiceStub(channel)
        stub.EmptyCall(testing.Empty(), timeout=20)
        before = _status_bytes(server, "VmHWM")
        answers = stub.FullDuplexCall(requests(), timeout=120)
        _wait_for_rest(server)
        # The client's own window for the answers is up to a few MiB, each of which asks for one;
        # 50 MB are on offer.
        assert 1 <= len(taken) <= 200
        assert _status_bytes(server, "VmHWM") - before < HELD_BYTES_MAX
        assert [len(answer.payload.body) for answer in answers] == [100_000] * 500
