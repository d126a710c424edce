"""The standard interoperability cases: rpc-interop-client against a grpcio server, by every route
(through Envoy: against rpc-interop-server).
"""

import pytest

from flags import FlagServer
from world import ROUTES

CASES = (
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
    "empty_stream", "custom_metadata", "status_code_and_message", "special_status_message",
    "unimplemented_method", "unimplemented_service", "cancel_after_begin",
    "cancel_after_first_response", "timeout_on_sleeping_server", "concurrent_large_unary",
    "rpc_soak", "channel_soak")
FLAGS = {"rpc_soak": ("--soak-iterations", 100), "channel_soak": ("--soak-iterations", 25)}
COMPRESSED = (
    "client_compressed_unary", "server_compressed_unary", "client_compressed_streaming",
    "server_compressed_streaming")


def port(world, route):
    return world.server_port(route) if route == "envoy" else world.reference(route).port


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("case", CASES)
def test_case(world, case, route):
    flags = FLAGS.get(case, ())
    if case == "concurrent_large_unary" and route != "plaintext":
        flags = ("--concurrent-calls", 100)
    world.run_client(case, port(world, route), route, flags)


@pytest.mark.parametrize("route", ["plaintext", "tls", "envoy"])
@pytest.mark.parametrize("case", COMPRESSED)
def test_compressed_case_with_our_server(world, case, route):
    world.run_client(case, world.server_port(route), route)


@pytest.mark.parametrize("case", COMPRESSED)
def test_compressed_case_with_a_server_that_looks_at_flags(world, case):
    server = FlagServer()
    world.run_client(case, server.port)
    server.close()


@pytest.mark.parametrize("case", ["server_compressed_unary", "server_compressed_streaming"])
def test_the_client_notices_wrong_flags(world, case):
    server = FlagServer(lies=True)
    with pytest.raises(AssertionError):
        world.run_client(case, server.port)
    server.close()


@pytest.mark.parametrize("case", ["server_compressed_unary", "server_compressed_streaming"])
@pytest.mark.parametrize("route", ["plaintext", "tls"])
def test_compressed_responses_of_grpcio_are_read(world, case, route):
    world.run_client(case, world.reference(route).port, route)


def test_a_client_without_a_certificate_is_refused(world):
    with pytest.raises(AssertionError):
        world.run_client("empty_unary", world.reference("mtls").port, "tls", seconds=20)
