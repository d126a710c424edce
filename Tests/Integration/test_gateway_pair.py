"""Two gateways before one store, a PostgreSQL: what one of them learns or counts holds at both."""

import contextlib
import re
import threading

import grpc
import pytest

from clients import Client
from contracts import refusal, refused
from fronted import SERVICE
from interop import WatchedBackend
from people import request_id
from processes import wait_until
from stores import Schemas
from stubs import accounts, testing
from suite import Ports, Suite

CODE = grpc.StatusCode
GATEWAYS = ("gateway", "gateway-2")
QUOTA = 500
LEASE = QUOTA // 50
KILLS = 3
THREADS = 2


class CountingBackend(WatchedBackend):
    """Counts exactly, whichever threads its calls are on."""

    def __init__(self, name):
        self._lock = threading.Lock()
        super().__init__(name)

    def UnaryCall(self, request, context):
        with self._lock:
            self.calls += 1
        return testing.SimpleResponse(hostname=self.name)


class Pair:
    """Both gateways; behind them an opaque service, and no other."""

    def __init__(self, folder, binaries, stores, backend):
        self.suite = Suite(folder, binaries)
        self.suite.ports = Ports(("members", "stations", *GATEWAYS))
        self.suite.prepare()
        self.suite._add_partner("daily_partner")
        limits = f"[{{calls_per_day: {QUOTA}}}]"
        text = self.suite.gateway_file.read_text()
        text = re.sub('database: "[^"]+"', f'database: "{stores.url("gateway")}"', text)
        text = text.replace(
            "    name: daily_partner\n", f"    name: daily_partner\n    limits: {limits}\n", 1)
        text = (f"opaque_services:\n  - service: {SERVICE}\n"
                f'    targets: ["127.0.0.1:{backend.port}"]\n    identity: ""\n'
                '    callers: [partner]\n    audience: ""\n    health_check: false\n') + text
        self.suite.gateway_file.write_text(text)
        for ports in (self.suite.ports.listen, self.suite.ports.admin, self.suite.ports.operations):
            first, second = (ports[name] for name in GATEWAYS)
            assert re.search(rf"\b{first}\b", text)
            text = re.sub(rf"\b{first}\b", str(second), text)
        (self.suite.folder / "gateway-2.yaml").write_text(text)
        self.suite.start(*GATEWAYS)
        self.log_tails = self.suite.log_tails

    @contextlib.contextmanager
    def client(self, gateway, *metadata):
        client = Client(
            f"localhost:{self.suite.ports.listen[gateway]}", self.suite.authority, metadata)
        yield client
        client.close()

    def close(self):
        self.suite.close()


@pytest.fixture(scope="module")
def backend():
    backend = CountingBackend("one")
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def pair(folder, binaries, server, backend):
    pair = Pair(folder / "pair", binaries, Schemas(server[1]), backend)
    yield pair
    pair.close()


class Traffic:
    """Calls of one partner through one gateway, from several threads, until something ends them."""

    def __init__(self, pair, gateway):
        self.through = 0
        # Calls that had no answer: whether they were let in nobody knows.
        self.broken = 0
        self.refused = []
        self._pair = pair
        self._gateway = gateway
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        with self._pair.client(
                self._gateway, *self._pair.suite.metadata("daily_partner")) as client:
            stub = testing.TestServiceStub(client.intercepted)
            while not self._stopped.is_set():
                try:
                    stub.UnaryCall(testing.SimpleRequest())
                except grpc.RpcError as error:
                    with self._lock:
                        if error.code() == CODE.UNAVAILABLE:
                            self.broken += 1
                        else:
                            self.refused.append(refusal(error))
                    return
                with self._lock:
                    self.through += 1

    def stop(self):
        self._stopped.set()
        self.wait()

    def wait(self):
        for thread in self._threads:
            thread.join()


def test_a_day_has_no_more_calls_than_its_quota_at_two_gateways_that_are_killed(pair, backend):
    before, traffics = backend.calls, []

    def send(gateway):
        traffics.append(Traffic(pair, gateway))
        return traffics[-1]

    for round in range(KILLS):
        killed, other = GATEWAYS[round % 2], GATEWAYS[(round + 1) % 2]
        under_fire, beside = send(killed), send(other)
        wait_until(lambda: under_fire.through > LEASE and beside.through > LEASE, what="calls")
        pair.suite.kill(killed)
        under_fire.wait()
        beside.stop()
        assert not under_fire.refused and not beside.refused and not beside.broken
        assert under_fire.broken <= THREADS
        pair.suite.start(killed)
    for last in [send(gateway) for gateway in GATEWAYS]:
        last.wait()
        assert [told.reason for told in last.refused] == ["QUOTA_EXCEEDED"] * THREADS
        assert all(told.code == CODE.RESOURCE_EXHAUSTED for told in last.refused)
        assert all(0 < told.retry_seconds <= 86_400 for told in last.refused)
        assert all(told.metadata == {"calls_per_day": str(QUOTA)} for told in last.refused)
    through = sum(traffic.through for traffic in traffics)
    broken = sum(traffic.broken for traffic in traffics)
    served = backend.calls - before
    assert through <= served <= QUOTA, "never more"
    assert through + broken >= QUOTA - KILLS * LEASE, "at most one lease a kill is lost"


def test_a_key_revoked_at_one_gateway_ends_its_streams_at_the_other(pair, backend):
    with pair.client("gateway", *pair.suite.metadata("staff")) as administrator:
        staff = accounts.AccountsServiceStub(administrator.intercepted)
        partner = staff.CreatePartner(accounts.CreatePartnerRequest(
            request_id=request_id(), partner=accounts.Partner(display_name="双网关"))).partner
        made = staff.CreatePartnerKey(accounts.CreatePartnerKeyRequest(
            request_id=request_id(), partner=partner.name))
        with pair.client("gateway-2", ("x-api-key", made.secret)) as client:
            stub = testing.TestServiceStub(client.intercepted)
            stream = stub.StreamingOutputCall(
                testing.StreamingOutputCallRequest(), timeout=60)
            next(stream)
            staff.RevokePartnerKey(accounts.RevokePartnerKeyRequest(
                request_id=request_id(), name=made.key.name, reason="test"))
            told = refused(lambda: stream)
            assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")
            told = refused(stub.UnaryCall, testing.SimpleRequest())
            assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")
