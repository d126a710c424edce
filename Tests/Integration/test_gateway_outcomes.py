"""The client never learns a wrong status, whatever becomes of a backend; and what operators do to a
running gateway is not felt by its callers."""

import http.client
import json
import queue
import signal
import socket
import ssl
import struct
import threading
import time

import grpc
import pytest

import rawcall
from clients import Client
from contracts import refused
from fronted import SERVICE, Fronted
from interop import InteropServer, WatchedBackend, output_request
from processes import wait_until
from stubs import members, testing
from suite import DRAIN_SECONDS

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def interop(folder, binaries):
    servers = [InteropServer(binaries, folder) for _ in range(2)]
    yield servers
    for server in servers:
        server.child.send(signal.SIGCONT)
        server.child.kill()


@pytest.fixture(scope="module")
def fronted(folder, binaries, interop):
    """Before one rpc-interop-server; no other service runs."""
    fronted = Fronted(folder / "outcomes", binaries, [interop[0].address])
    yield fronted
    fronted.suite.close()


def raw(fronted, method, timeout, message=b""):
    """A call of a client that leaves its deadline to the server."""
    suite = fronted.suite
    answer = rawcall.call(
        suite.gateway, suite.folder / "tls/authority.crt", f"/{SERVICE}/{method}",
        [*suite.metadata("partner"), ("grpc-timeout", timeout)], message)
    return rawcall.told(answer)


# Deadlines


def test_a_backend_that_answers_late_is_deadline_exceeded(fronted):
    slow = output_request(1, interval_us=5_000_000).SerializeToString()
    assert raw(fronted, "StreamingOutputCall", "300m", slow).code == CODE.DEADLINE_EXCEEDED


def test_a_frozen_backend_is_deadline_exceeded_every_time(fronted, interop):
    interop[0].child.send(signal.SIGSTOP)
    try:
        for _ in range(8):
            told = raw(fronted, "EmptyCall", "100m")
            assert (told.code, told.reason) == (CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    finally:
        interop[0].child.send(signal.SIGCONT)
    assert fronted.stub().EmptyCall(testing.Empty()) is not None


def test_a_frozen_replica_is_left_out(folder, binaries, interop):
    """Nothing tells of it but that its calls are met with silence."""
    addresses = [server.address for server in interop]
    settings = "balancing: {consecutive_gateway_failure: 2}\n"
    fronted = Fronted(folder / "frozen", binaries, addresses, settings)
    try:
        fronted.await_replicas(*addresses)
        interop[1].child.send(signal.SIGSTOP)
        stub = fronted.stub()

        def is_left_out():
            try:
                stub.EmptyCall(testing.Empty(), timeout=0.2)
            except grpc.RpcError as error:
                assert error.code() == CODE.DEADLINE_EXCEEDED
            return f"{addresses[1]} ejected" in fronted.admin("/readyz")[1]

        wait_until(is_left_out, 20, "the ejection")
        for _ in range(20):
            stub.EmptyCall(testing.Empty(), timeout=5)
    finally:
        interop[1].child.send(signal.SIGCONT)
        fronted.suite.close()


# Backends that are away


def test_a_service_that_is_down_is_unavailable_and_503_in_json(fronted):
    suite = fronted.suite
    client = suite.client("staff")
    told = refused(client.members.GetMember, members.GetMemberRequest(name="members/x"))
    assert (told.code, told.reason) == (CODE.UNAVAILABLE, "BACKEND_UNAVAILABLE")
    assert told.retry_seconds
    host, port = suite.gateway.rsplit(":", 1)
    context = ssl.create_default_context(cadata=suite.authority.decode())
    context.set_alpn_protocols(["http/1.1"])
    link = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    link.request("GET", "/v1/members/x", headers=dict(suite.metadata("staff")))
    answer = link.getresponse()
    status = json.loads(answer.read())
    link.close()
    assert (answer.status, status["code"]) == (503, CODE.UNAVAILABLE.value[0])
    assert answer.headers["retry-after"]


def _garbage(link):
    link.sendall(bytes(range(256)) * 8)


def _http1(link):
    link.recv(100)
    link.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def _frames(link):
    """Good settings, then a frame of nonsense for an answer."""
    link.sendall(struct.pack(">I", 0)[1:] + struct.pack(">BBI", 4, 0, 0))
    while b"EmptyCall" not in (seen := link.recv(65_536)) and seen:
        pass
    link.sendall(b"\x00\x00\x04\x01\x04\x00\x00\x00\x01\xff\xff\xff\xff")


def _silent_end(link):
    link.recv(100)


class BrokenBackend:
    """Meets every connection with the same nonsense."""

    def __init__(self, answer):
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                try:
                    self._answer(link)
                except OSError:
                    pass

    def close(self):
        self._listener.close()


@pytest.fixture(scope="module")
def changing(folder, binaries):
    """A gateway whose backends each test chooses."""
    fronted = Fronted(folder / "changing", binaries, ["127.0.0.1:1"])
    yield fronted
    fronted.suite.close()


@pytest.mark.parametrize("answer", [_garbage, _http1, _frames, _silent_end])
def test_a_backend_that_talks_nonsense_is_unavailable(changing, answer):
    backend = BrokenBackend(answer)
    try:
        changing.write([backend.address])
        assert changing.reload()[0] == 200
        for _ in range(3):
            told = refused(changing.stub().EmptyCall, testing.Empty(), timeout=15)
            assert told.code == CODE.UNAVAILABLE, told
            assert told.domain == "gateway.yijia"
    finally:
        backend.close()


# Callers that go, and a gateway that stops


def test_a_partner_that_disconnects_cancels_the_backend(changing):
    backend = WatchedBackend("one")
    try:
        changing.write([f"127.0.0.1:{backend.port}"])
        assert changing.reload()[0] == 200
        waits = []
        for _ in range(10):
            backend.started.clear()
            client = Client(
                changing.suite.gateway, changing.suite.authority,
                changing.suite.metadata("partner"))
            stub = testing.TestServiceStub(client.intercepted)
            call = stub.EmptyCall.future(testing.Empty())  # kept: without it the call is cancelled
            assert backend.started.wait(10)
            left = time.monotonic()
            client.close()
            wait_until(lambda: backend.ended_at > left, 10, "the cancellation")
            assert call.code() == CODE.CANCELLED
            waits.append((backend.ended_at - left) * 1_000)
        waits.sort()
        median = waits[len(waits) // 2]
        print(f"  cancelled after {median:.1f} ms (median), {waits[-1]:.1f} ms at most")
        assert median <= 50, f"the median of ten: {waits}"
    finally:
        backend.close()


def test_calls_that_run_at_sigterm_finish(folder, binaries, interop):
    fronted = Fronted(folder / "stopping", binaries, [interop[0].address])
    try:
        requests = queue.Queue()
        call = fronted.stub().FullDuplexCall(iter(requests.get, None), timeout=30)
        requests.put(output_request(5))
        next(call)
        gateway = fronted.suite.children["gateway"]
        gateway.send(signal.SIGTERM)
        wait_until(lambda: "stopping" in gateway.output or "signal" in gateway.output)
        for size in range(1, 20):
            requests.put(output_request(size))
            assert len(next(call).payload.body) == size
        requests.put(None)
        assert list(call) == []
        assert call.code() == CODE.OK
        assert gateway.wait(20) == 0
    finally:
        fronted.suite.close()


def test_new_callers_are_served_until_a_load_balancer_has_noticed(folder, binaries, interop):
    fronted = Fronted(
        folder / "noticed", binaries, [interop[0].address], "shutdown_delay_seconds: 5\n")
    try:
        gateway = fronted.suite.children["gateway"]
        gateway.send(signal.SIGTERM)
        wait_until(lambda: fronted.admin("/readyz")[0] == 503, 4, "503 of /readyz")
        assert fronted.stub().EmptyCall(testing.Empty(), timeout=4) == testing.Empty()
        assert gateway.wait(20) == 0
    finally:
        fronted.suite.close()


def test_a_call_that_does_not_end_is_cut_when_the_drain_time_is_over(folder, binaries, interop):
    fronted = Fronted(folder / "cut", binaries, [interop[0].address])
    try:
        requests = queue.Queue()
        call = fronted.stub().FullDuplexCall(iter(requests.get, None), timeout=60)
        requests.put(output_request(5))
        next(call)
        gateway = fronted.suite.children["gateway"]
        begun = time.monotonic()
        gateway.send(signal.SIGTERM)
        told = refused(lambda: next(call))
        cut = time.monotonic() - begun
        requests.put(None)
        assert told.code == CODE.UNAVAILABLE, told
        assert DRAIN_SECONDS - 0.5 <= cut <= DRAIN_SECONDS + 5, f"cut after {cut:.1f} s"
        assert gateway.wait(10) == 0
    finally:
        fronted.suite.close()


# A new configuration


def test_a_reload_is_felt_by_the_next_call_and_by_no_other(changing, interop):
    gateway = changing.suite.children["gateway"]
    changing.write([server.address for server in interop])
    assert changing.reload()[0] == 200
    requests = queue.Queue()
    call = changing.stub().FullDuplexCall(iter(requests.get, None), timeout=60)
    requests.put(output_request(5))
    next(call)

    def is_let_in(method):
        try:
            return method(testing.Empty()) is not None
        except grpc.RpcError as error:
            assert error.code() == CODE.PERMISSION_DENIED
            return False

    limited = changing.stub("limited_partner").EmptyCall
    assert not is_let_in(limited)
    changing.settings = changing.settings.replace(
        "GetEnrollment]", f"GetEnrollment, /{SERVICE}/EmptyCall]")
    changing.write([interop[0].address])
    gateway.send(signal.SIGHUP)
    wait_until(lambda: is_let_in(limited), 20, "the signal's effect")
    # A wrong one is refused, every field by name, and the one before stays.
    changing.write(["nowhere"], "message_bytes_max: 0\n")
    status, text = changing.reload()
    assert status == 400
    assert "opaque_services[0].targets: nowhere" in text and "message_bytes_max" in text, text
    assert is_let_in(limited)
    requests.put(output_request(7))
    assert len(next(call).payload.body) == 7
    requests.put(None)
    assert list(call) == []


def test_new_connections_see_a_new_certificate(changing, interop):
    suite = changing.suite
    changing.write([interop[0].address])
    host, port = suite.gateway.rsplit(":", 1)
    tls = suite.folder / "tls"

    def shown():
        return ssl.get_server_certificate((host, int(port))).strip()

    def certificate(name):
        text = (tls / f"{name}.crt").read_text()
        return text[:text.index("-----END CERTIFICATE-----") + 25].strip()

    first = {kind: (tls / f"gateway.{kind}").read_bytes() for kind in ("crt", "key")}
    assert shown() == (old := certificate("gateway"))
    (tls / "gateway.crt").write_bytes((tls / "members.crt").read_bytes())
    status, text = changing.reload()
    assert status == 400 and "certificate" in text, "the key of another certificate"
    assert shown() == old
    (tls / "gateway.key").write_bytes((tls / "members.key").read_bytes())
    assert changing.reload()[0] == 200
    assert shown() == certificate("members")
    for kind, bytes_ in first.items():
        (tls / f"gateway.{kind}").write_bytes(bytes_)
    assert changing.reload()[0] == 200
    assert shown() == old


def test_what_operators_see(changing, interop):
    changing.write([server.address for server in interop])
    assert changing.reload()[0] == 200
    assert changing.admin("/livez") == (200, "alive\n")
    changing.await_replicas(*(server.address for server in interop))
    status, text = changing.admin("/readyz")
    # No other service runs here; it serves all the same.
    assert status == 200 and text.startswith("ready, no way to members, stations\n"), text
    assert "members 127.0.0.1:" in text
    status, text = changing.admin("/config")
    shown = json.loads(text)["configuration"]
    assert shown["opaque_services"][0]["service"] == SERVICE
    assert {partner["api_key_sha256"] for partner in shown["partners"]} == {"hidden"}
    assert changing.admin("/log_level") == (200, "info\n")
    assert changing.admin("/log_level?level=debug", post=True) == (200, "debug\n")
    assert changing.admin("/log_level?level=loud", post=True)[0] == 400
    assert changing.admin("/log_level?level=info", post=True)[0] == 200
    assert changing.admin("/reload")[0] == 405
    for page in ("/livez", "/readyz", "/config", "/log_level", "/metrics", "/health"):
        assert changing.admin(page, verb="HEAD") == (200, "")
    assert changing.admin("/livez", verb="PUT")[0] == 405
