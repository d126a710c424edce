"""A gateway gets new configurations, and its two replicas of a service are restarted in turn, under
load: no call fails and no stream is cut. They are killed in turn: no call of an idempotent method
fails.

YIJIA_RELOADS, YIJIA_ROLLS and YIJIA_KILLS set how often.
"""

import datetime
import json
import os
import queue
import random
import threading
import time

import grpc
import pytest

from contracts import refusal
from fronted import Fronted
from interop import InteropServer, output_request
from processes import wait_until
from stubs import testing
from tally import note

RELOADS = int(os.environ.get("YIJIA_RELOADS", "100"))
ROLLS = int(os.environ.get("YIJIA_ROLLS", "3"))
KILLS = int(os.environ.get("YIJIA_KILLS", "10"))
CALLERS = 6
STREAMS = 6
# A stream of the rolling restarts lives this long: a replica waits for those it has.
STREAM_SECONDS = 1.0
pytestmark = pytest.mark.timeout(RELOADS + ROLLS * 60 + KILLS * 30 + 300)


class Load:
    """Calls and streams, without a pause, until the end of `with`."""

    def __init__(self, fronted, stream_seconds=None):
        """`stream_seconds`: how long a stream lives; without it there are calls alone."""
        self._fronted, self._stream_seconds = fronted, stream_seconds
        self._stopping = threading.Event()
        self.calls, self.streams, self.failures = 0, 0, []
        # When the first call failed, as the logs write it.
        self.failed_at = None
        self.longest_call = 0.0
        self._event = (time.monotonic(), "the load began")
        self._lock = threading.Lock()
        work = [self._call] * CALLERS
        if stream_seconds:
            work += [self._stream] * STREAMS
        self._threads = [threading.Thread(target=self._repeat, args=(body,)) for body in work]

    def _repeat(self, body):
        stub = self._fronted.stub()
        while not self._stopping.is_set():
            try:
                body(stub)
            except Exception as error:  # whatever it is, it is a failure
                with self._lock:
                    self.failed_at = self.failed_at or datetime.datetime.now(datetime.timezone.utc)
                    self.failures.append(f"{body.__name__}: {self._told(error)}"[:800])
                return

    def now(self, event):
        """What happens just now: a failure names the last event before it."""
        self._event = (time.monotonic(), event)

    def _told(self, error):
        """A failure as its caller saw it, and when that was."""
        moment, event = self._event
        said = repr(error)
        if isinstance(error, grpc.RpcError):
            told = refusal(error)
            said = f"{told.code.name} {told.reason} {told.metadata}: {told.message}"
        return f"{time.monotonic() - moment:.3f} s after {event}: {said}"

    def _call(self, stub):
        size, begun = random.randrange(2_000), time.monotonic()
        answer = stub.UnaryCall(
            testing.SimpleRequest(response_size=size, payload=testing.Payload(body=bytes(size))))
        assert len(answer.payload.body) == size
        with self._lock:
            self.calls += 1
            self.longest_call = max(self.longest_call, time.monotonic() - begun)

    def _stream(self, stub):
        """Message by message, each answered."""
        requests, end = queue.Queue(), time.monotonic() + self._stream_seconds
        call = stub.FullDuplexCall(iter(requests.get, None), timeout=3_600)
        try:
            while time.monotonic() < end and not self._stopping.is_set():
                requests.put(output_request(9))
                assert len(next(call).payload.body) == 9
                time.sleep(0.02)  # the pace of a stream that is mostly idle
        finally:
            requests.put(None)
        assert list(call) == []
        with self._lock:
            self.streams += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def report(self, faults, rounds):
        """What failed counts as lost; the longest call as the longest outage."""
        note(faults, rounds, self.calls + self.streams, len(self.failures), 0, self.longest_call)
        assert not self.failures, "\n".join(
            [*self.failures[:5], "the gateway meanwhile:", *self._logged()])
        assert self.calls and bool(self.streams) == bool(self._stream_seconds)

    def _logged(self):
        """What the gateway logged around the first failure, but for calls that succeeded."""
        lines = []
        for line in self._fronted.suite.children["gateway"].output.splitlines():
            try:
                entry = json.loads(line) if line.startswith("{") else {"time": line.split(" ")[0]}
                moment = datetime.datetime.fromisoformat(entry["time"])
            except ValueError:
                continue
            # Lines of other than calls have whole seconds.
            if entry.get("code") != "OK" and -2 < (moment - self.failed_at).total_seconds() < 1:
                lines.append(line)
        return [line for line in lines if "reason=answered" not in line][:60]


@pytest.fixture
def servers(folder, binaries):
    servers = [InteropServer(binaries, folder) for _ in range(2)]
    yield servers
    for server in servers:
        server.child.kill()


@pytest.fixture
def fronted(folder, binaries, servers, request):
    fronted = Fronted(
        folder / request.node.name, binaries, [server.address for server in servers])
    fronted.await_replicas(*(server.address for server in servers))
    yield fronted
    fronted.suite.close()


def test_reloads_are_not_felt(fronted, servers):
    addresses = [server.address for server in servers]
    begun = time.monotonic()
    # Streams are open through all of it; longer than the 15 s at which some proxies cut.
    with Load(fronted, stream_seconds=3_600) as load:
        for number in range(RELOADS):
            # Every other time what is kept of the channels changes, and every tenth is wrong.
            turned = addresses if number % 4 < 2 else addresses[::-1]
            if number % 10 == 9:
                fronted.write(["nowhere"])
                assert fronted.reload()[0] == 400
            else:
                fronted.write(turned, f"message_bytes_max: {4_000_000 + number}\n")
                status, text = fronted.reload()
                assert status == 200, text
        # Time itself is meant: proxies that cut streams do so after 15 seconds.
        time.sleep(max(0, begun + 17 - time.monotonic()))
    load.report("gateway reloads", RELOADS)


def test_rolling_restarts_are_not_felt(fronted, servers, folder, binaries):
    addresses = [server.address for server in servers]
    # For a failure: it logs the ends of connections.
    assert fronted.admin("/log_level?level=debug", post=True)[0] == 200
    with Load(fronted, STREAM_SECONDS) as load:
        for roll in range(ROLLS):
            for index, server in enumerate(servers):
                where = f"in roll {roll} {server.address}"
                load.now(f"{where} was told to stop")
                assert server.child.stop(30) == 0, server.child.tail()
                load.now(f"{where} had stopped")
                servers[index] = InteropServer(binaries, folder, port=server.port)
                load.now(f"{where} listened again")
                fronted.await_replicas(*addresses)
                load.now(f"{where} was ready again")
    load.report("rolling restarts", ROLLS)


def test_kills_are_not_felt_by_idempotent_calls(fronted, servers, folder, binaries):
    addresses = [server.address for server in servers]
    fronted.write(addresses, "    idempotent_methods: [UnaryCall]\n")
    assert fronted.reload()[0] == 200
    with Load(fronted) as load:
        for kill in range(KILLS):
            index = kill % 2
            done = load.calls
            wait_until(lambda: load.calls > done + 50 or load.failures, what="more calls")
            load.now(f"{servers[index].address} was killed, the {kill + 1}th time")
            servers[index].child.kill()
            done = load.calls
            wait_until(lambda: load.calls > done + 50 or load.failures, what="more calls")
            servers[index] = InteropServer(binaries, folder, port=servers[index].port)
            # The calls that the kill ended may have ejected it: connected, but used in need alone.
            fronted.await_replicas(*addresses, states=("ready", "ejected"))
    load.report("replicas killed", KILLS)
