"""bench/gateway-under-test: what is measured does what it says."""

import os
import signal
import sqlite3
import urllib.request

import grpc
import pytest

from interop import InteropServer
from processes import ROOT, Child, free_port_block, wait_until
from stubs import testing

KEY = [("x-api-key", "bench-partner-key")]


@pytest.fixture(params=["all", "none"])
def gateway(request, folder, binaries, tmp_path):
    """(duties, stub, admin port) of a gateway before an rpc-interop-server. Its own files are in
    tmp_path, and gone afterwards."""
    backend = InteropServer(binaries, folder)
    port = free_port_block([0, 1_000])
    child = Child(
        [ROOT / "bench" / "gateway-under-test"], folder / "logs" / "under-test.log",
        environment={**os.environ, "DUTIES": request.param, "LISTEN": str(port),
                     "BACKEND": str(backend.port), "RELEASE": str(binaries),
                     "TMPDIR": str(tmp_path)})
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        grpc.channel_ready_future(channel).result(timeout=20)
        yield request.param, testing.TestServiceStub(channel), port + 1_000
    finally:
        channel.close()
        child.stop(20)
        wait_until(lambda: not list(tmp_path.iterdir()), what="the removal of its files")
        backend.close()


def test_its_files_go_with_its_whole_group(folder, binaries, tmp_path):
    child = Child(
        [ROOT / "bench" / "gateway-under-test"], folder / "logs" / "under-test-group.log",
        environment={**os.environ, "LISTEN": str(free_port_block([0, 1_000])), "BACKEND": "1",
                     "RELEASE": str(binaries), "TMPDIR": str(tmp_path)}, own_group=True)
    try:
        wait_until(lambda: list(tmp_path.glob("*/page-tokens")), what="its files")
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(20)
        wait_until(lambda: not list(tmp_path.iterdir()), what="the removal of its files")
    finally:
        child.kill()


def test_calls_pass_with_the_key_and_without_duties_from_anyone(gateway):
    duties, stub, _ = gateway
    stub.EmptyCall(testing.Empty(), metadata=KEY, wait_for_ready=True, timeout=20)
    if duties == "all":
        with pytest.raises(grpc.RpcError) as refused:
            stub.EmptyCall(testing.Empty())
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    else:
        stub.EmptyCall(testing.Empty())


def test_every_duty_is_on(gateway, tmp_path):
    duties, stub, admin = gateway
    if duties != "all":
        return
    for _ in range(3):
        stub.EmptyCall(testing.Empty(), metadata=KEY, wait_for_ready=True, timeout=20)
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as page:
        metrics = page.read().decode()
    method = 'grpc_method="grpc.testing.TestService/EmptyCall"'
    counted = [line for line in metrics.splitlines()
               if line.startswith("gateway_calls_total{") and method in line]
    assert len(counted) == 1 and counted[0].endswith(" 3"), counted
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/config", timeout=10) as page:
        config = page.read().decode()
    assert "EmptyCall" in config, "it is retried"
    store, = tmp_path.glob("*/gateway.sqlite")
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        assert database.execute("SELECT sum(leased) FROM quota_day").fetchone()[0] >= 3
