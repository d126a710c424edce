"""The six negative HTTP/2 cases: rpc-interop-client against servers that break a call on purpose.

grpcio runs them too, which shows that the servers do what they should.
"""

import concurrent.futures

import grpc
import pytest

from broken import CASES
from stubs import testing

ROUTES = ("plaintext", "tls")


@pytest.fixture
def server(authority, case, route):
    server = CASES[case](authority.server_context() if route == "tls" else None)
    yield server
    server.close()
    server.check()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("case", CASES)
def test_our_client(world, server, case, route):
    world.run_client(case, server.port, route)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("case", CASES)
def test_grpcio(world, server, case, route):
    with world.channel(route, port=server.port) as channel:
        _run(case, testing.TestServiceStub(channel), server)


def _run(case, stub, server):
    request = testing.SimpleRequest(
        response_size=314_159, payload=testing.Payload(body=bytes(271_828)))

    def call():
        assert len(stub.UnaryCall(request, timeout=20).payload.body) == 314_159

    if case.startswith("rst_"):
        with pytest.raises(grpc.RpcError):
            call()
    elif case == "goaway":
        call()
        assert server.was_heard.wait(20)
        call()
    elif case == "max_streams":
        call()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            for done in [pool.submit(call) for _ in range(10)]:
                done.result()
    else:
        call()
