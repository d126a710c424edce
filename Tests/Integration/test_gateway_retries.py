"""Which calls the gateway makes again, and what their caller learns."""

import concurrent.futures
import socket
import threading

import grpc
import h2.config
import h2.connection
import h2.events
import pytest

from contracts import refused
from fronted import SERVICE, Fronted
from stubs import testing

CODE = grpc.StatusCode


class Refusing(testing.TestServiceServicer):
    """A backend that refuses its first calls with UNAVAILABLE; a context."""

    def __init__(self, refusals):
        self.refusals = refusals
        # grpc-previous-rpc-attempts of each call.
        self.attempts = []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        testing.add_TestServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _answer(self, context, response):
        metadata = dict(context.invocation_metadata())
        self.attempts.append(metadata.get("grpc-previous-rpc-attempts"))
        if len(self.attempts) <= self.refusals:
            context.abort(CODE.UNAVAILABLE, "not now")
        return response

    def UnaryCall(self, request, context):
        return self._answer(context, testing.SimpleResponse(username="done"))

    def EmptyCall(self, request, context):
        return self._answer(context, testing.Empty())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stop(None).wait()


class Dying:
    """A backend that takes one request, and is gone without an answer; a context."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.taken = 0
        self._sockets = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        session.initiate_connection()
        try:
            while True:
                connection.sendall(session.data_to_send())
                chunk = connection.recv(1 << 16)
                if not chunk:
                    return
                for event in session.receive_data(chunk):
                    if isinstance(event, h2.events.StreamEnded):
                        self.taken += 1
                        return self._die()
        except OSError:
            return

    def _die(self):
        for one in [self._listener, *self._sockets]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It has gone already.
                pass
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._die()
        for thread in self._threads:
            thread.join(10)


IDEMPOTENT = "    idempotent_methods: [UnaryCall]\n"


@pytest.fixture(scope="module")
def fronted(folder, binaries):
    fronted = Fronted(folder / "retries", binaries, ["127.0.0.1:1"])
    yield fronted
    fronted.suite.close()


def point(fronted, backend, more=IDEMPOTENT):
    """Makes that backend the only one."""
    fronted.write([f"127.0.0.1:{backend.port}"], "    health_check: false\n" + more)
    status, text = fronted.reload()
    assert status == 200, text


def retries(fronted):
    lines = fronted.admin("/metrics")[1].splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if "retries" in line and SERVICE in line and not line.startswith("#"))


def test_an_idempotent_call_that_is_refused_is_made_again(fronted):
    with Refusing(1) as backend:
        point(fronted, backend)
        before = retries(fronted)
        assert fronted.stub().UnaryCall(testing.SimpleRequest(), timeout=20).username == "done"
        assert backend.attempts == [None, "1"]
        assert retries(fronted) == before + 1


def test_it_is_made_three_times_at_most(fronted):
    with Refusing(9) as backend:
        point(fronted, backend)
        told = refused(fronted.stub().UnaryCall, testing.SimpleRequest(), timeout=20)
        assert (told.code, told.message) == (CODE.UNAVAILABLE, "not now")
        assert backend.attempts == [None, "1", "2"]


def test_a_call_that_is_not_idempotent_is_made_once(fronted):
    with Refusing(1) as backend:
        point(fronted, backend)
        told = refused(fronted.stub().EmptyCall, testing.Empty(), timeout=20)
        assert (told.code, told.message) == (CODE.UNAVAILABLE, "not now")
        assert backend.attempts == [None]


@pytest.mark.parametrize("more", [IDEMPOTENT, ""], ids=["idempotent", "not"])
def test_nobody_is_told_that_nothing_was_done_by_a_backend_that_took_the_call(fronted, more):
    with Dying() as backend:
        point(fronted, backend, more)
        told = refused(fronted.stub().UnaryCall, testing.SimpleRequest(), timeout=20)
        assert backend.taken == 1
        assert (told.code, told.reason) == (CODE.UNAVAILABLE, "BACKEND_LOST")
