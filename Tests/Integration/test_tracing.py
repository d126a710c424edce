"""One call is found in the logs of all it passed, by the identifier of its caller's trace."""

import collections
import concurrent.futures
import contextlib
import json
import secrets

import grpc
import pytest

from contracts import refused
from faces import WEB, WEB_FORMS, framed
from fronted import Fronted
from interop import WatchedBackend
from processes import wait_until
from stubs import collector, members, testing
from test_json import NDJSON, Caller


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


@contextlib.contextmanager
def collecting(folder, binaries, share):
    """A gateway that sends its spans; (gateway, backend, collector)."""
    backend, taker = WatchedBackend("one"), Collector()
    fronted = Fronted(
        folder / f"traced-{taker.port}", binaries, [f"127.0.0.1:{backend.port}"],
        f'tracing: {{collector: "127.0.0.1:{taker.port}", share: {share}}}\n')
    try:
        yield fronted, backend, taker
    finally:
        fronted.suite.close()
        backend.close()
        taker.close()


@pytest.fixture
def collected(folder, binaries):
    with collecting(folder, binaries, 1) as all_three:
        yield all_three


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


def test_only_a_caller_who_is_known_makes_the_gateway_send_a_span(folder, binaries):
    with collecting(folder, binaries, 0) as (fronted, _, taker):
        traces = {who: secrets.token_hex(16) for who in ("recorded", "not recorded", "nobody")}
        for what, trace in traces.items():
            flags = "00" if what == "not recorded" else "01"
            field = f"00-{trace}-{secrets.token_hex(8)}-{flags}"
            stub = fronted.stub(
                None if what == "nobody" else "partner", extra=[("traceparent", field)])
            try:
                stub.UnaryCall(testing.SimpleRequest())
            except grpc.RpcError as error:
                assert (what, error.code()) == ("nobody", grpc.StatusCode.UNAUTHENTICATED)
        fronted.stub().UnaryCall(testing.SimpleRequest())
        assert fronted.suite.children["gateway"].stop(20) == 0, "what is left is sent at the end"
        assert [span.trace_id.hex() for span in taker.spans] == [traces["recorded"]]


def test_calls_are_counted_by_partner(collected):
    fronted, _, _ = collected
    fronted.stub().UnaryCall(testing.SimpleRequest())
    wait_until(
        lambda: 'gateway_calls_total{caller="partners/' in fronted.admin("/metrics")[1],
        what="the count")


# The access log


class Traced:
    """Finds the lines of calls in the gateway's log by the trace that each call had."""

    def __init__(self, suite):
        self._gateway = suite.children["gateway"]
        self.trace = secrets.token_hex(16)
        self.field = f"00-{self.trace}-{secrets.token_hex(8)}-00"

    def lines(self, count=1):
        """Those lines, once there are so many; each is JSON of its own."""
        def found():
            marked = [line for line in self._gateway.output.splitlines() if self.trace in line]
            lines = [json.loads(line) for line in marked if line.startswith("{")]
            return lines if len(lines) >= count else None
        return wait_until(found, what="the lines of the log")


def by_json(suite, who, verb, path, body=None, **fields):
    """The code that a JSON caller is told."""
    def call(traced):
        caller = Caller(suite, who)
        response, answer = caller(verb, path, body, traceparent=traced.field, **fields)
        caller.connection.close()
        if response.status == 200 and answer.startswith(b"{\"result"):
            last = json.loads(answer.splitlines()[-1])
            return last["error"]["code"] if "error" in last else 0
        return 0 if response.status == 200 else json.loads(answer)["code"]
    return call


def by_grpc(suite, who, method, request):
    def call(traced):
        client = suite.client(who, extra=[("traceparent", traced.field)])
        try:
            getattr(client.members, method)(request)
        except grpc.RpcError as error:
            return error.code().value[0]
        return 0
    return call


def by_web(suite, who, method, request):
    def call(traced):
        caller = Caller(suite, who)
        _, answer = caller(
            "POST", f"/{MEMBERS}/{method}", framed(request.SerializeToString()),
            content_type=WEB, traceparent=traced.field)
        caller.connection.close()
        error = WEB_FORMS[WEB](answer).error
        return error.code.value[0] if error else 0
    return call


MEMBERS = "yijia.members.v1.MembersService"
REGION = members.GetRegionRequest(name="regions/130302")
NOBODY = members.GetMemberRequest(name=f"members/{'0' * 32}")
LONG = " " * (5 << 20)
ROW = b'{"row":1}\n'
# What is done, the code that its caller is told, and what the line says besides.
CALLS = {
    "grpc": (by_grpc, ("partner", "GetRegion", REGION), 0,
             {"method": f"/{MEMBERS}/GetRegion", "service": "members"}),
    "grpc refused by the service": (by_grpc, ("staff", "GetMember", NOBODY), 5, {}),
    "grpc refused": (by_grpc, ("viewer", "RevealMember", members.RevealMemberRequest()), 7,
                     {"reason": "ROLE"}),
    "grpc of nobody": (by_grpc, (None, "GetRegion", REGION), 16,
                       {"caller": "-", "reason": "CALLER_UNPROVEN"}),
    "web": (by_web, ("partner", "GetRegion", REGION), 0, {"method": f"/{MEMBERS}/GetRegion"}),
    "web refused by the service": (by_web, ("staff", "GetMember", NOBODY), 5, {}),
    "json": (by_json, ("partner", "GET", "/v1/regions/130302"), 0,
             {"method": f"/{MEMBERS}/GetRegion"}),
    "json refused by the service": (by_json, ("staff", "GET", f"/v1/{NOBODY.name}"), 5,
                                    {"method": f"/{MEMBERS}/GetMember"}),
    "json refused": (by_json, ("partner", "GET", "/v1/members"), 7, {"reason": "CALLER_KIND"}),
    "no json": (by_json, ("partner", "POST", "/v1/enrollments", "{"), 3,
                {"method": f"/{MEMBERS}/SubmitEnrollment"}),
    "no path": (by_json, ("partner", "GET", "/v1/nothing?secret=1"), 5,
                {"reason": "ROUTE_UNKNOWN", "method": "/v1/nothing"}),
    "no verb": (by_json, ("partner", "PUT", "/v1/enrollments"), 12, {"reason": "VERB_NOT_ALLOWED"}),
    "too long": (by_json, ("partner", "POST", "/v1/enrollments", LONG), 8,
                 {"reason": "MESSAGE_TOO_LARGE"}),
    "too late": (by_json, ("partner", "GET", "/v1/members:watchEvents"), 4,
                 {"reason": "DEADLINE_EXCEEDED"}),
    "lines": (by_json, ("partner", "POST", f"/{MEMBERS}/EnrollMembers", ROW), 0, {}),
    "no line": (by_json, ("partner", "POST", f"/{MEMBERS}/EnrollMembers", b"{\n"), 3, {}),
    "no second line": (
        by_json, ("partner", "POST", f"/{MEMBERS}/EnrollMembers", ROW + b"{\n"), 3, {}),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_is_one_line_with_the_outcome_that_its_caller_saw(suite, what):
    how, arguments, code, facts = CALLS[what]
    fields = {}
    if "watchEvents" in str(arguments):
        fields["grpc_timeout"] = "300m"
    if "EnrollMembers" in str(arguments):
        fields["content_type"] = NDJSON
    traced, after = Traced(suite), Traced(suite)
    assert how(suite, *arguments, **fields)(traced) == code
    # The line of a later call is behind all of this one.
    by_grpc(suite, "partner", "GetRegion", REGION)(after)
    after.lines()
    [line] = traced.lines()
    name = next(each.name for each in grpc.StatusCode if each.value[0] == code)
    assert {"code": line["code"], **facts} == {
        "code": name, **{fact: line.get(fact) for fact in facts}}
    assert line["duration_us"] >= 0 and line["time"].endswith("Z")


@pytest.fixture
def sampled(folder, binaries):
    """A gateway that logs a third of what succeeds and nothing that fails; (gateway, address)."""
    backend = WatchedBackend("one")
    address = f"127.0.0.1:{backend.port}"
    fronted = Fronted(
        folder / "sampled", binaries, [address],
        "access_log: {success_share: 0.3, failure_share: 0}\n")
    yield fronted, address
    fronted.suite.close()
    backend.close()


def test_a_share_of_the_calls_is_logged(sampled):
    fronted, address = sampled
    gateway = fronted.suite.children["gateway"]

    def codes():
        lines = [line for line in gateway.output.splitlines() if '"message":"call"' in line]
        return collections.Counter(json.loads(line)["code"] for line in lines)

    def call(count):
        partner, nobody = fronted.stub(), fronted.stub(None)
        for _ in range(count):
            partner.UnaryCall(testing.SimpleRequest())
            told = refused(nobody.UnaryCall, testing.SimpleRequest())
            assert told.code == grpc.StatusCode.UNAUTHENTICATED

    call(40)
    wait_until(lambda: codes().total() >= 11, what="the lines")
    fronted.settings = fronted.settings.replace(
        "{success_share: 0.3, failure_share: 0}", "{success_share: 0, failure_share: 1}")
    fronted.write([address])
    assert fronted.reload()[0] == 200
    call(5)
    assert gateway.stop(20) == 0, "what is left is written at the end"
    assert codes() == {"OK": 12, "UNAUTHENTICATED": 5}
