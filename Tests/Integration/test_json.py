"""The gateway as HTTP and JSON: over TLS, HTTP/1.1 and HTTP/2, by clients that no one here wrote;
the same answers as gRPC gives, by Google's own JSON mapping."""

import http.client
import json
import re
import ssl
import subprocess
import urllib.parse
import urllib.request

import jsonschema
import openapi_spec_validator
import pytest
from google.protobuf import json_format

from people import People, application, enrollment, request_id
from stubs import members

PEOPLE = People(series=12)
JSON = "application/json"
NDJSON = "application/x-ndjson"
ENROLL = "/yijia.members.v1.MembersService/EnrollMembers"


class Caller:
    """`http.client` over TLS: HTTP/1.1."""

    def __init__(self, suite, who):
        host, port = suite.gateway.rsplit(":", 1)
        self.context = ssl.create_default_context(cadata=suite.authority.decode())
        self.context.set_alpn_protocols(["http/1.1"])
        self.connection = http.client.HTTPSConnection(
            host, int(port), context=self.context, timeout=30)
        self.fields = dict(suite.metadata(who) if who else ())

    def begin(self, verb, path, body=None, **fields):
        """The response, with its body still to come."""
        headers = {**self.fields, **{k.replace("_", "-"): v for k, v in fields.items()}}
        if body is not None and "content-type" not in headers:
            headers["content-type"] = JSON
        if isinstance(body, dict):
            body = json.dumps(body)
        self.connection.request(verb, path, body, headers)
        return self.connection.getresponse()

    def __call__(self, verb, path, body=None, **fields):
        response = self.begin(verb, path, body, **fields)
        return response, response.read()


@pytest.fixture(scope="module")
def partner(suite):
    return Caller(suite, "partner")


@pytest.fixture(scope="module")
def staff(suite):
    return Caller(suite, "staff")


def as_json(message):
    return json_format.MessageToDict(message)


def reason(body):
    return next(
        d["reason"] for d in json.loads(body)["details"] if d["@type"].endswith("ErrorInfo"))


def curl(suite, *arguments):
    """HTTP/2 by curl; (status line, body)."""
    ca = suite.folder / "tls" / "authority.crt"
    done = subprocess.run(
        ["curl", "-sS", "--cacert", str(ca), "-w", "\n%{http_version} %{http_code}", *arguments],
        capture_output=True, text=True, timeout=60, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return status, body


def test_an_enrollment_as_json_is_the_one_that_grpc_knows(suite, partner, staff):
    request = enrollment(PEOPLE.next())
    response, body = partner("POST", "/v1/enrollments", as_json(request))
    assert response.status == 200, body
    assert response.getheader("content-type") == JSON
    name = json.loads(body)["enrollment"]["name"]
    known = suite.client("staff").members.GetEnrollment(members.GetEnrollmentRequest(name=name))
    response, body = staff("GET", f"/v1/{name}")
    assert json_format.Parse(body, members.GetEnrollmentResponse()) == known
    # The same request as gRPC is a retry: the first reply.
    again = suite.client("partner").members.SubmitEnrollment(request)
    assert again.enrollment.name == name


def test_lists_are_filtered_by_the_query(suite, staff):
    query = urllib.parse.urlencode(
        [("page_size", 3), ("groups", "OCCUPATION_GROUP_COURIER"), ("states", 2)])
    response, body = staff("GET", f"/v1/members?{query}")
    assert response.status == 200, body
    known = suite.client("staff").members.ListMembers(members.ListMembersRequest(
        page_size=3, groups=[members.OCCUPATION_GROUP_COURIER], states=[2]))
    found = json_format.Parse(body, members.ListMembersResponse())
    assert list(found.members) == list(known.members)


def test_a_stream_of_enrollments_goes_up_and_comes_down_as_lines(partner):
    rows = [
        as_json(members.EnrollMembersRequest(
            request_id=request_id(), row=row, application=application(PEOPLE.next())))
        for row in range(1, 51)]
    rows[7]["application"]["residentId"] = "110105194912310021"
    body = "\n".join(json.dumps(row) for row in rows)
    response, answer = partner("POST", ENROLL, body, content_type=NDJSON)
    assert response.status == 200
    lines = [json.loads(line)["result"] for line in answer.splitlines()]
    assert [line["row"] for line in lines] == [str(row) for row in range(1, 51)]
    assert [line["row"] for line in lines if "error" in line] == ["8"]
    # The same rows again are retries: the same answers.
    _, again = partner("POST", ENROLL, body, content_type=NDJSON, accept=JSON)
    assert [row for row in json.loads(again) if "error" not in row] == [
        line for line in lines if "error" not in line]


def test_the_feed_comes_as_events_while_it_runs(suite, partner):
    # An endless stream: what matters is that the first event comes while it runs.
    partner("POST", "/v1/enrollments", as_json(enrollment(PEOPLE.next())))
    host, port = suite.gateway.rsplit(":", 1)
    caller = Caller(suite, "partner")
    caller.connection.request(
        "POST", "/yijia.members.v1.MembersService/WatchMemberEvents", "{}",
        {**caller.fields, "content-type": JSON, "accept": "text/event-stream"})
    response = caller.connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    cursor, first = response.readline(), response.readline()
    assert first.startswith(b"data: {")
    event = json_format.Parse(first[len(b"data: "):], members.WatchMemberEventsResponse())
    assert cursor == f"id: {event.cursor}\n".encode()
    caller.connection.close()


@pytest.mark.parametrize("verb, path, body, who, status, why", [
    ("GET", "/v1/members", None, None, 401, "CALLER_UNPROVEN"),
    ("GET", "/v1/members", None, "partner", 403, "CALLER_KIND"),
    ("GET", "/v1/members/" + "0" * 32, None, "staff", 404, "MEMBER_NOT_FOUND"),
    ("GET", "/v1/nothing", None, "staff", 404, "ROUTE_UNKNOWN"),
    ("PUT", "/v1/enrollments", "{}", "staff", 405, "VERB_NOT_ALLOWED"),
    ("POST", "/v1/enrollments", "{", "partner", 400, "INVALID_FIELDS"),
    ("POST", "/v1/enrollments", "[" * 50_000, "partner", 400, "INVALID_FIELDS"),
    ("POST", "/v1/enrollments", '{"requestId":"x"}', "partner", 400, "INVALID_FIELDS"),
    ("GET", "/v1/members?page_token=forged", None, "staff", 400, "INVALID_PAGE_TOKEN"),
])
def test_errors_are_statuses_with_details(suite, verb, path, body, who, status, why):
    response, answer = Caller(suite, who)(verb, path, body)
    assert response.status == status, answer
    assert reason(answer) == why


def test_messages_are_in_the_callers_language(staff):
    _, zh = staff("GET", "/v1/nothing")
    _, en = staff("GET", "/v1/nothing", accept_language="en")
    assert "没有地址" in json.loads(zh)["message"]
    assert "check the contract" in json.loads(en)["message"]


def test_fields_are_named_as_in_json_whoever_finds_them_wrong(partner):
    """The gateway a value of the wrong type, the service an invalid one, alone or in a stream."""
    record = as_json(members.EnrollMembersRequest(
        request_id=request_id(), row=1, application=application(PEOPLE.next(), resident_id="1")))
    single = {"requestId": record["requestId"], "application": record["application"]}
    _, alone = partner("POST", "/v1/enrollments", single)
    told = json.loads(alone)
    row = json.loads(partner("POST", ENROLL, json.dumps(record), content_type=NDJSON)[1])
    for message, violations in (
            (told["message"], next(d["fieldViolations"] for d in told["details"]
                                   if "fieldViolations" in d)),
            (row["result"]["error"]["message"], row["result"]["error"]["fieldViolations"])):
        assert [v["field"] for v in violations] == ["application.residentId"]
        assert message.startswith("有 1 个字段有误：application.residentId：")
        assert not re.search(r"[,;:!?]", message), message
    _, wrong = partner("POST", "/v1/enrollments", {"application": {"resident_id": 5}})
    assert "application.residentId：应为字符串" in json.loads(wrong)["message"]


def test_a_request_id_is_the_same_for_both_ways_to_enroll(partner):
    record = as_json(enrollment(PEOPLE.next()))
    first = json.loads(partner("POST", "/v1/enrollments", record)[1])["enrollment"]
    _, streamed = partner("POST", ENROLL, json.dumps({"row": 1, **record}), content_type=NDJSON)
    assert json.loads(streamed)["result"]["enrollment"] == first


def test_a_line_that_cannot_be_read_does_not_take_those_before_it(partner):
    good = json.dumps({"row": 1, **as_json(enrollment(PEOPLE.next()))})
    bad = json.dumps({"row": 2, "application": {"group": "COURIER"}})
    response, answer = partner(
        "POST", ENROLL, "\n".join([good, bad, good]), content_type=NDJSON, accept_language="en")
    assert response.status == 200
    lines = [json.loads(line) for line in answer.splitlines()]
    assert lines[0]["result"]["enrollment"]["name"].startswith("enrollments/")
    assert len(lines) == 2
    told = lines[1]["error"]["message"]
    assert "application.group: line 2: expected one of OCCUPATION_GROUP_" in told


def test_an_answer_has_the_trace_id_that_the_caller_sent(suite, partner):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace}-00f067aa0ba902b7-00"
    for path in ("/v1/nothing", "/v1/members"):
        response, _ = partner("GET", path, traceparent=parent)
        assert response.getheader("x-trace-id") == trace
    call = suite.client("partner", extra=[("traceparent", parent)]).members.SubmitEnrollment
    _, done = call.with_call(enrollment(PEOPLE.next()))
    assert dict(done.initial_metadata())["x-trace-id"] == trace
    _, done = suite.client("partner").members.SubmitEnrollment.with_call(enrollment(PEOPLE.next()))
    assert "x-trace-id" not in dict(done.initial_metadata())


def test_http2_and_http11_share_the_port(suite):
    key = dict(suite.metadata("staff"))
    headers = [part for name, value in key.items() for part in ("-H", f"{name}: {value}")]
    url = f"https://{suite.gateway}/v1/statistics/enrollments"
    two, body = curl(suite, "--http2", *headers, url)
    one, same = curl(suite, "--http1.1", *headers, url)
    assert (two, one) == ("2 200", "1.1 200")
    assert json.loads(body) == json.loads(same)


def test_a_client_without_alpn_gets_http11(suite):
    context = ssl.create_default_context(cadata=suite.authority.decode())
    url = f"https://{suite.gateway}/docs/policy"
    with urllib.request.urlopen(url, context=context, timeout=30) as response:
        assert (response.version, response.status) == (11, 200)


def test_a_refusal_reaches_a_client_that_still_sends(suite, tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(b" " * (6 << 20))
    headers = [part for name, value in dict(suite.metadata("partner")).items()
               for part in ("-H", f"{name}: {value}")]
    url = f"https://{suite.gateway}/v1/enrollments"
    for _ in range(4):
        answer, text = curl(
            suite, "--http2", *headers, "-H", "content-type: application/json",
            "--data-binary", f"@{body}", url)
        assert answer == "2 413", text
        assert "4194304" in text


@pytest.fixture(scope="module")
def document(suite):
    response, body = Caller(suite, None)("GET", "/openapi.json")
    assert response.status == 200
    return json.loads(body)


def test_the_openapi_document_is_valid(document):
    openapi_spec_validator.validate(document)
    assert document["openapi"] == "3.1.0"
    assert len(document["paths"]) > 60


def strict(schema):
    """The same schema, with no field that it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    fields = schema.get("properties")
    if isinstance(fields, dict) and "@type" not in fields and schema.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


def check(document, path, verb, status, answer):
    """Holds an answer to the schema that the document has for it."""
    operation = document["paths"][path][verb]
    described = operation["responses"].get(str(status)) or operation["responses"]["default"]
    if "$ref" in described:
        described = document["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = described["content"][JSON]["schema"]
    jsonschema.Draft202012Validator({
        **strict(schema), "components": {"schemas": strict(document["components"]["schemas"])},
    }, format_checker=jsonschema.FormatChecker()).validate(answer)


def test_answers_are_as_the_document_says(suite, document, partner, staff):
    done, body = partner("POST", "/v1/enrollments", as_json(enrollment(PEOPLE.next())))
    check(document, "/v1/enrollments", "post", done.status, json.loads(body))
    for path, query in (
        ("/v1/organizations", "?pageSize=3"), ("/v1/members", "?pageSize=3"),
        ("/v1/enrollments", "?pageSize=3"), ("/v1/regions", "?pageSize=3"),
        ("/v1/statistics/coverage", ""), ("/v1/poolCases", ""), ("/v1/transfers", ""),
    ):
        response, body = staff("GET", path + query)
        check(document, path, "get", response.status, json.loads(body))
    listed = json.loads(staff("GET", "/v1/members?pageSize=1")[1])["members"][0]["name"]
    for name, status in ((listed, 200), ("members/" + 32 * "0", 404), ("members/x", 400)):
        response, body = staff("GET", f"/v1/{name}")
        assert response.status == status, body
        check(document, "/v1/members/{member}", "get", status, json.loads(body))


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_a_page_that_the_caller_has_is_not_sent_again(suite, version):
    for path in ("/docs", "/docs/policy", "/openapi.json"):
        response, _ = Caller(suite, None)("GET", path)
        url = f"https://{suite.gateway}{path}"
        for tag in (response.getheader("etag"), "W/" + response.getheader("etag")):
            status, body = curl(suite, version, "-H", f"if-none-match: {tag}", url)
            assert (status.split()[1], body) == ("304", "")


def test_the_pages_need_nothing_from_elsewhere(suite):
    for path in ("/docs", "/docs/policy"):
        response, body = Caller(suite, None)("GET", path)
        assert response.status == 200
        assert response.getheader("content-type").startswith("text/html")
        assert "default-src 'none'" in response.getheader("content-security-policy")
        assert b"https://" not in body
