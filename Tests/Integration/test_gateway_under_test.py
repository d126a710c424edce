"""bench/gateway-under-test: what is measured does what it says."""

import os

import grpc
import pytest

from interop import InteropServer
from processes import ROOT, Child, free_port_block
from stubs import testing

KEY = [("x-api-key", "bench-partner-key")]


@pytest.fixture(params=["all", "none"])
def gateway(request, folder, binaries):
    """(duties, stub) of a gateway before an rpc-interop-server."""
    backend = InteropServer(binaries, folder)
    port = free_port_block([0, 1_000])
    child = Child(
        [ROOT / "bench" / "gateway-under-test"], folder / "logs" / "under-test.log",
        environment={**os.environ, "DUTIES": request.param, "LISTEN": str(port),
                     "BACKEND": str(backend.port), "RELEASE": str(binaries)})
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        grpc.channel_ready_future(channel).result(timeout=20)
        yield request.param, testing.TestServiceStub(channel)
    finally:
        channel.close()
        child.stop(20)
        backend.close()


def test_calls_pass_with_the_key_and_without_duties_from_anyone(gateway):
    duties, stub = gateway
    stub.EmptyCall(testing.Empty(), metadata=KEY, wait_for_ready=True, timeout=20)
    if duties == "all":
        with pytest.raises(grpc.RpcError) as refused:
            stub.EmptyCall(testing.Empty())
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    else:
        stub.EmptyCall(testing.Empty())
