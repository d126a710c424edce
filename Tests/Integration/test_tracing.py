"""One call is found in the logs of all it passed, by the identifier of its caller's trace."""

import concurrent.futures
import secrets

import grpc
import pytest

from contracts import refused
from fronted import Fronted
from interop import WatchedBackend
from processes import wait_until
from stubs import collector, members, testing


def test_a_callers_trace_is_in_the_log_lines_of_the_gateway_and_the_service(suite):
    trace = secrets.token_hex(16)
    client = suite.client(
        "staff", extra=[("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")])
    told = refused(client.members.GetMember, members.GetMemberRequest(name=f"members/{'0' * 32}"))
    assert told.reason == "MEMBER_NOT_FOUND"

    def lines(name):
        return [line for line in suite.children[name].output.splitlines() if trace in line]

    for name in ("gateway", "members"):
        # The line is written after the answer.
        wait_until(lambda: lines(name), what=f"a line of {name} with the trace")
        assert any(f"trace_id={trace}" in line or f'"trace_id":"{trace}"' in line
                   for line in lines(name)), lines(name)


class Collector(collector.TraceServiceServicer):
    """Keeps the spans that it is sent."""

    def __init__(self):
        self.spans = []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        collector.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def Export(self, request, context):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return collector.ExportTraceServiceResponse()

    def close(self):
        self._server.stop(0).wait()


@pytest.fixture
def collected(folder, binaries):
    """A gateway that sends its spans; (gateway, backend, collector)."""
    backend, taker = WatchedBackend("one"), Collector()
    fronted = Fronted(
        folder / "traced", binaries, [f"127.0.0.1:{backend.port}"],
        f'tracing: {{collector: "127.0.0.1:{taker.port}", share: 1}}\n')
    yield fronted, backend, taker
    fronted.suite.close()
    backend.close()
    taker.close()


def test_spans_go_to_a_collector_and_join_caller_and_service(collected):
    fronted, backend, taker = collected
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    stub = fronted.stub(extra=[("traceparent", f"00-{trace}-{parent}-01")])
    stub.UnaryCall(testing.SimpleRequest())
    inward = backend.metadata["traceparent"]
    fronted.stub().UnaryCall(testing.SimpleRequest())
    assert fronted.suite.children["gateway"].stop(20) == 0, "what is left is sent at the end"
    first, second = taker.spans
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (trace, parent)
    assert inward == f"00-{trace}-{first.span_id.hex()}-01"
    assert first.name == "grpc.testing.TestService/UnaryCall"
    facts = {attribute.key: attribute.value for attribute in first.attributes}
    assert facts["rpc.grpc.status_code"].int_value == 0
    assert facts["yijia.caller"].string_value.startswith("partners/")
    assert first.end_time_unix_nano >= first.start_time_unix_nano > 0
    assert second.parent_span_id == b"" and second.trace_id != first.trace_id


def test_calls_are_counted_by_partner(collected):
    fronted, _, _ = collected
    fronted.stub().UnaryCall(testing.SimpleRequest())
    wait_until(
        lambda: 'gateway_calls_total{caller="partners/' in fronted.admin("/metrics")[1],
        what="the count")
