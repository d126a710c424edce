"""How the gateway spreads calls over the replicas of a service, which it leaves out, and how many
calls it lets run, wait and be made again."""

import concurrent.futures
import contextlib
import socket
import threading
import time

import grpc
import pytest

from contracts import refusal, refused
from fronted import SERVICE, Fronted
from processes import free_port, wait_until
from stubs import health, testing

CODE = grpc.StatusCode
Status = health.HealthCheckResponse
IDEMPOTENT = "    idempotent_methods: [UnaryCall]\n"


class Replica(testing.TestServiceServicer, health.HealthServicer):
    """A TestService that counts its calls, and does as it is told; a context.

    UnaryCall is answered at once, or refused with UNAVAILABLE; EmptyCall when the gate is open.
    """

    def __init__(self, port=0):
        self.calls = 0
        self.refuses = False
        self.gate = threading.Event()
        self._changed = threading.Condition()
        self._serves, self._is_over = True, False
        # A thread for each call under way, and one for each watch of the health.
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(40))
        testing.add_TestServiceServicer_to_server(self, self._server)
        health.add_HealthServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def UnaryCall(self, request, context):
        self._count()
        if self.refuses:
            context.abort(CODE.UNAVAILABLE, "not now")
        return testing.SimpleResponse(username=self.address)

    def EmptyCall(self, request, context):
        self._count()
        self.gate.wait()
        return testing.Empty()

    def _count(self):
        with self._changed:
            self.calls += 1

    def Watch(self, request, context):
        told = None
        context.add_callback(self._wake)
        with self._changed:
            while context.is_active() and not self._is_over:
                if told != self._serves:
                    told = self._serves
                    yield Status(status=Status.SERVING if told else Status.NOT_SERVING)
                self._changed.wait()

    def _wake(self):
        with self._changed:
            self._changed.notify_all()

    def serves(self, serves):
        """Tells whoever watches that it serves, or does not."""
        with self._changed:
            self._serves = serves
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gate.set()
        self._is_over = True
        self._wake()
        self._server.stop(None).wait()


@pytest.fixture
def replicas():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Replica()) for _ in range(4)]


@pytest.fixture(scope="module")
def fronted(folder, binaries):
    fronted = Fronted(folder / "replicas", binaries, ["127.0.0.1:1"])
    yield fronted
    fronted.suite.close()


def point(fronted, addresses, more="", **balancing):
    """Makes those the service's replicas; new ones get their full share at once."""
    settings = {"slow_start_seconds": 0, **balancing}
    rules = ", ".join(f"{name}: {value}" for name, value in settings.items())
    fronted.write(addresses, f"{more}balancing: {{{rules}}}\n")
    status, text = fronted.reload()
    assert status == 200, text


def lines(fronted):
    """What is told of each replica, by its address."""
    words = [line.split(maxsplit=2) for line in fronted.admin("/readyz")[1].splitlines()]
    return {word[1]: word[2] for word in words if word[0] == SERVICE and len(word) == 3}


def states(fronted):
    return {address: line.split(",")[0] for address, line in lines(fronted).items()}


def await_state(fronted, replica, state):
    wait_until(
        lambda: states(fronted)[replica.address] == state, 30, f"{replica.address} {state}")


def shares(stub, replicas, count):
    """How many of so many calls each of them got."""
    before = [replica.calls for replica in replicas]
    for _ in range(count):
        stub.UnaryCall(testing.SimpleRequest(), timeout=20)
    return [replica.calls - had for replica, had in zip(replicas, before)]


# Who gets a call


def test_the_replicas_take_turns(fronted, replicas):
    point(fronted, [replica.address for replica in replicas])
    assert shares(fronted.stub(), replicas, 40) == [10] * 4


def test_a_replica_with_much_to_do_gets_less(fronted, replicas):
    slow, quick = replicas[:2]
    quick.gate.set()
    point(fronted, [slow.address, quick.address], policy="least_request")
    stub = fronted.stub()
    calls = []
    for _ in range(30):
        calls.append(stub.EmptyCall.future(testing.Empty(), timeout=20))
        wait_until(lambda: slow.calls + quick.calls == len(calls), what="the call")
    # It is chosen while both have the same to do.
    assert 1 <= slow.calls <= 3
    slow.gate.set()
    assert all(call.result() is not None for call in calls)


def test_a_replica_that_has_come_late_begins_with_a_small_share(fronted, replicas):
    port, early = free_port(), replicas[0]
    point(fronted, [early.address, f"127.0.0.1:{port}"], slow_start_seconds=3)
    # The window itself: where all are new, they share alike.
    time.sleep(3.5)
    with Replica(port) as late:
        await_state(fronted, late, "ready")
        stub = fronted.stub()
        # It begins with a tenth of a full share, which would be 20.
        assert shares(stub, [early, late], 40)[1] <= 13
        wait_until(lambda: shares(stub, [early, late], 10) == [5, 5], what="its full share")


# Who gets none


def test_a_replica_that_says_that_it_is_not_serving_gets_none(fronted, replicas):
    away, there = replicas[:2]
    point(fronted, [away.address, there.address])
    stub = fronted.stub()
    away.serves(False)
    wait_until(lambda: states(fronted)[away.address] != "ready", what="the report")
    assert shares(stub, [away, there], 10) == [0, 10]
    away.serves(True)
    await_state(fronted, away, "ready")
    assert shares(stub, [away, there], 10) == [5, 5]


def test_none_is_used_in_spite_of_what_it_says(fronted, replicas):
    """However few are left; those that were ejected are used then."""
    point(fronted, [replicas[0].address])
    replicas[0].serves(False)
    wait_until(lambda: states(fronted)[replicas[0].address] != "ready", what="the report")
    told = refused(fronted.stub().UnaryCall, testing.SimpleRequest(), timeout=20)
    assert (told.code, told.reason) == (CODE.UNAVAILABLE, "BACKEND_UNAVAILABLE")
    assert told.retry_seconds and replicas[0].calls == 0


def fail(stub, count):
    """So many calls, whatever comes of them."""
    for _ in range(count):
        with contextlib.suppress(grpc.RpcError):
            stub.UnaryCall(testing.SimpleRequest(), timeout=20)


def test_a_replica_that_fails_is_ejected_and_comes_back(fronted, replicas):
    failing = replicas[0]
    failing.refuses = True
    point(
        fronted, [replica.address for replica in replicas], consecutive_gateway_failure=3,
        base_ejection_seconds=3)
    stub = fronted.stub()
    fail(stub, 8)
    assert failing.calls == 2 and states(fronted)[failing.address] == "ready"
    fail(stub, 4)
    assert failing.calls == 3 and states(fronted)[failing.address] == "ejected"
    assert shares(stub, replicas, 30) == [0, 10, 10, 10]
    failing.refuses = False
    await_state(fronted, failing, "ready")
    assert shares(stub, replicas, 40) == [10] * 4


def test_half_of_the_replicas_are_ejected_and_no_more(fronted, replicas):
    for replica in replicas[:3]:
        replica.refuses = True
    point(
        fronted, [replica.address for replica in replicas], consecutive_gateway_failure=2,
        base_ejection_seconds=600)
    fail(fronted.stub(), 40)
    found = list(states(fronted).values())
    assert sorted(found) == ["ejected", "ejected", "ready", "ready"]
    assert states(fronted)[replicas[3].address] == "ready"


def test_ejected_ones_are_used_when_too_few_are_left(fronted, replicas):
    for replica in replicas:
        replica.refuses = True
    point(
        fronted, [replica.address for replica in replicas], consecutive_gateway_failure=2,
        base_ejection_seconds=600, max_ejection_percent=100)
    stub = fronted.stub()
    fail(stub, 20)
    assert set(states(fronted).values()) == {"ejected"}
    for replica in replicas:
        replica.refuses = False
    assert shares(stub, replicas, 40) == [10] * 4


# How many calls


def test_what_watches_a_replica_is_no_call(fronted):
    port = free_port()
    point(fronted, [f"127.0.0.1:{port}"])
    for _ in range(2):
        with Replica(port) as replica:
            await_state(fronted, replica, "ready")
            assert lines(fronted)[replica.address] == "ready, 0 calls"
            running = fronted.stub().EmptyCall.future(testing.Empty(), timeout=20)
            wait_until(lambda: replica.calls, what="the call")
            assert lines(fronted)[replica.address] == "ready, 1 calls"
            replica.gate.set()
            running.result()
            wait_until(
                lambda: lines(fronted)[replica.address] == "ready, 0 calls", what="its end")
        wait_until(lambda: states(fronted)[replica.address] != "ready", what="its death")


def running(stub, replicas, count):
    """So many calls that have reached a replica, and end when its gate is opened."""
    had = sum(replica.calls for replica in replicas)
    calls = [stub.EmptyCall.future(testing.Empty(), timeout=20) for _ in range(count)]
    wait_until(lambda: sum(replica.calls for replica in replicas) == had + count, what="the calls")
    return calls


def test_a_call_goes_where_there_is_room(fronted, replicas):
    first, second = pair = replicas[:2]
    point(fronted, [replica.address for replica in pair], calls_max=2)
    stub = fronted.stub()
    calls = running(stub, pair, 4)
    assert (first.calls, second.calls) == (2, 2)
    first.gate.set()
    wait_until(lambda: sum(call.done() for call in calls) == 2, what="the end of two")
    # The second has all that it may have.
    assert shares(stub, pair, 10) == [10, 0]
    second.gate.set()
    assert all(call.result() is not None for call in calls)


def test_a_call_for_which_there_is_no_room_is_refused_at_once(fronted, replicas):
    replica = replicas[0]
    point(fronted, [replica.address], calls_max=2)
    stub = fronted.stub()
    calls = running(stub, replicas, 2)
    told = refused(stub.EmptyCall, testing.Empty(), timeout=20)
    assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "BACKEND_BUSY")
    assert told.retry_seconds and replica.calls == 2
    replica.gate.set()
    assert all(call.result() is not None for call in calls)
    assert shares(stub, [replica], 5) == [5]


def test_so_many_calls_wait_for_a_connection(fronted):
    """The only replica takes a connection and says nothing on it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point(
            fronted, [f"127.0.0.1:{silent.getsockname()[1]}"], waiting_calls_max=2)
        stub = fronted.stub()
        calls = [stub.EmptyCall.future(testing.Empty(), timeout=20) for _ in range(3)]
        told = []
        for call in calls:
            call.add_done_callback(lambda call: told.append(refusal(call)))
        wait_until(lambda: told, what="a refusal")
        assert [each.reason for each in told] == ["BACKEND_BUSY"]
        # One that gives up makes room for the next, which waits in its place.
        next(call for call in calls if not call.done()).cancel()

        def waits():
            said = refused(stub.EmptyCall, testing.Empty(), timeout=0.2)
            return said.code == CODE.DEADLINE_EXCEEDED

        for _ in range(3):
            wait_until(waits, what="room to wait")
        for call in calls:
            call.cancel()


def test_calls_are_made_again_within_a_budget(fronted, replicas):
    """A service that refuses everything gets its calls, a fifth of them again, and 100 more."""
    replica = replicas[0]
    replica.refuses = True
    point(
        fronted, [replica.address], IDEMPOTENT, consecutive_gateway_failure=0)
    stub = fronted.stub()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: fail(stub, 1), range(300)))
    assert 300 + 100 <= replica.calls <= 300 + 100 + 300 // 5
