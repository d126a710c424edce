"""rpc-interop-server as a child, and a backend in Python whose calls the test can watch."""

import concurrent.futures
import contextlib
import threading
import time

import grpc

from clients import CHANNEL_OPTIONS
from processes import Child, free_port, wait_until
from stubs import testing

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"


class InteropServer:
    """One rpc-interop-server."""

    def __init__(self, binaries, folder, port=None, tls=None, client_authority=None):
        """`tls`: (certificate file, key file); `client_authority`: clients must show one of its."""
        self.port = port or free_port()
        flags = ["--tls-cert", tls[0], "--tls-key", tls[1]] if tls else []
        if client_authority:
            flags += ["--tls-client-authority", client_authority]
        self.child = Child(
            [binaries / "rpc-interop-server", "--port", self.port, *flags],
            folder / "logs" / f"interop-{self.port}.log")
        self.log_tails = self.child.tail
        wait_until(self._is_up, what="rpc-interop-server")

    def _is_up(self):
        assert self.child.is_running, self.child.tail()
        return "listening" in self.child.output

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        assert self.child.stop(20) == 0, self.child.tail()


class WatchedBackend(testing.TestServiceServicer):
    """A TestService of grpcio: names itself, can hang, and knows which calls were cancelled."""

    def __init__(self, name):
        self.name = name
        self.calls = 0
        self.metadata = {}
        self.remaining = None
        self.cancelled = threading.Event()
        self.started = threading.Event()
        self.ended_at = 0.0
        self._over = threading.Event()
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        testing.add_TestServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def UnaryCall(self, request, context):
        self.calls += 1
        self.metadata = dict(context.invocation_metadata())
        self.remaining = context.time_remaining()
        context.set_trailing_metadata([("x-backend", self.name)])
        return testing.SimpleResponse(hostname=self.name)

    def EmptyCall(self, request, context):
        """Hangs until the caller goes away."""
        self._hang(context)
        return testing.Empty()

    def StreamingOutputCall(self, request, context):
        yield testing.StreamingOutputCallResponse()
        self._hang(context)

    def _hang(self, context):
        self.calls += 1
        self.remaining = context.time_remaining()
        ended = threading.Event()

        def end():
            self.ended_at = time.monotonic()
            ended.set()

        if not context.add_callback(end):
            end()
        self.started.set()
        while not ended.wait(0.02) and not self._over.is_set():
            pass
        if not self._over.is_set():
            self.cancelled.set()

    def close(self):
        self._over.set()
        self._server.stop(0).wait()


def output_request(*sizes, interval_us=0, **fields):
    return testing.StreamingOutputCallRequest(response_parameters=[
        testing.ResponseParameters(size=size, interval_us=interval_us) for size in sizes], **fields)


@contextlib.contextmanager
def plain_stub(address):
    with grpc.insecure_channel(address, CHANNEL_OPTIONS) as channel:
        yield testing.TestServiceStub(channel)
