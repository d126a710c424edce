"""The gateway as web pages use it: gRPC-Web, by `buf curl` and by hand, and what pages of which
origin may call and read (CORS)."""

import base64
import gzip
import json
import time
import urllib.request

import grpc
import pytest

from clients import buf_curl
from faces import (
    EVENTS, JSON_FORMS, WATCH, WEB, WEB_FORMS, WEB_TEXT, feed, framed, members_killed, plain)
from people import People, enrollment
from stubs import members
from test_json import ENROLL, NDJSON, Caller, as_json, curl

CODE = grpc.StatusCode
PEOPLE = People(series=10)
SERVICE = "yijia.members.v1.MembersService"
SUBMIT = f"/{SERVICE}/SubmitEnrollment"
EXPORT = f"/{SERVICE}/ExportOrganizations"
REGION = "/v1/regions/130302"


def called(suite, who, path, body, form=WEB, **fields):
    """What a gRPC-Web call says: its messages, and its refusal."""
    if form == WEB_TEXT:
        body = base64.b64encode(body)
    caller = Caller(suite, who)
    response, answer = caller("POST", path, body, content_type=form, x_grpc_web="1", **fields)
    caller.connection.close()
    assert (response.status, response.getheader("content-type")) == (200, form)
    return WEB_FORMS[form](answer)


# By `buf curl`


@pytest.fixture(scope="module")
def web_curl(suite):
    """Calls as staff; (exit status, answers, what it says)."""
    [key] = suite.metadata("staff")

    def call(method, *messages, headers=(": ".join(key),)):
        return buf_curl(
            suite.gateway, suite.folder / "tls/authority.crt", f"{SERVICE}/{method}", messages,
            headers, "grpcweb")

    return call


def test_buf_curl_calls_by_grpc_web(suite, web_curl):
    staff = suite.client("staff").members
    status, [region], problem = web_curl("GetRegion", {"name": "regions/130302"})
    assert status == 0, problem
    known = staff.GetRegion(members.GetRegionRequest(name="regions/130302"))
    assert region == as_json(known)
    status, rows, problem = web_curl("ExportOrganizations", {})
    assert status == 0, problem
    assert rows == [as_json(row) for row in staff.ExportOrganizations(
        members.ExportOrganizationsRequest())]
    assert len(rows) > 10


def test_buf_curl_is_told_a_status_by_grpc_web(web_curl):
    missing = {"name": f"members/{'0' * 32}"}
    for headers, code, why in (
            (None, "not_found", "MEMBER_NOT_FOUND"), ([], "unauthenticated", "CALLER_UNPROVEN")):
        more = {} if headers is None else {"headers": headers}
        status, answers, problem = web_curl("GetMember", missing, **more)
        told = json.loads(problem)
        assert (status != 0, answers, told["code"]) == (True, [], code) and told["message"]
        details = [base64.b64decode(detail["value"] + "==") for detail in told["details"]]
        assert any(why.encode() in detail for detail in details)


# By hand


@pytest.mark.parametrize("form", WEB_FORMS)
def test_a_unary_call_is_a_message_and_the_status(suite, form):
    request = members.GetRegionRequest(name="regions/130302")
    document = called(
        suite, "staff", f"/{SERVICE}/GetRegion", framed(request.SerializeToString()), form)
    known = suite.client("staff").members.GetRegion(request)
    assert [members.GetRegionResponse.FromString(row) for row in document.results] == [known]
    assert document.error is None


@pytest.mark.parametrize("form", WEB_FORMS)
def test_a_response_stream_is_messages_and_then_the_status(suite, form):
    request = members.ExportOrganizationsRequest().SerializeToString()
    document = called(suite, "staff", EXPORT, framed(request), form)
    rows = [members.ExportOrganizationsResponse.FromString(row) for row in document.results]
    assert rows == list(suite.client("staff").members.ExportOrganizations(
        members.ExportOrganizationsRequest()))
    assert document.error is None
    refused = called(suite, None, EXPORT, framed(request), form)
    assert (refused.results, refused.error.code) == ([], CODE.UNAUTHENTICATED)
    assert refused.error.reason == "CALLER_UNPROVEN"


def test_a_stream_whose_service_dies_ends_with_that_status(suite):
    suite.client("partner").members.SubmitEnrollment(enrollment(PEOPLE.next()))
    feeds = {form: feed(suite, form) for form in WEB_FORMS}
    for reading in feeds.values():
        reading.until(len)
    with members_killed(suite):
        for form, reading in feeds.items():
            with reading:
                document = WEB_FORMS[form](reading.whole())
            told = document.error
            assert document.results, form
            assert (told.code, told.reason) == (CODE.UNAVAILABLE, "BACKEND_LOST"), form
            assert told.retry_seconds


def test_a_deadline_is_enforced(suite):
    request = framed(members.WatchMemberEventsRequest().SerializeToString())
    for form in WEB_FORMS:
        told = called(suite, "partner", WATCH, request, form, grpc_timeout="300m").error
        assert (told.code, told.reason) == (CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def test_a_stream_that_pauses_is_not_cut(suite):
    partner = suite.client("partner").members
    partner.SubmitEnrollment(enrollment(PEOPLE.next()))
    forms = {**JSON_FORMS, **WEB_FORMS}
    feeds = [feed(suite, form) for form in forms]
    # The pause itself is what is tested: longer than any of the gateway's shorter timers.
    time.sleep(4)
    answer = partner.SubmitEnrollment(enrollment(PEOPLE.next()))
    name = answer.enrollment.name.encode()
    for form, reading in zip(forms, feeds):
        with reading:
            reading.until(lambda body: name in plain(form, body))


def test_requests_may_be_several_and_compressed(suite):
    """An upload whose answers come while it runs; messages pass as they are."""
    rows = [
        members.EnrollMembersRequest(
            row=row, request_id=request.request_id, application=request.application)
        for row, request in enumerate((enrollment(PEOPLE.next()) for _ in range(4)), 1)]
    packed = [gzip.compress(row.SerializeToString()) for row in rows[:2]]
    others = [row.SerializeToString() for row in rows[2:]]
    body = b"".join([framed(one, 1) for one in packed] + [framed(one) for one in others])
    for form in WEB_FORMS:
        document = called(suite, "partner", ENROLL, body, form, grpc_encoding="gzip")
        answers = [members.EnrollMembersResponse.FromString(one) for one in document.results]
        assert document.error is None
        assert [answer.row for answer in answers] == [1, 2, 3, 4]
        assert all(answer.enrollment.name for answer in answers)


def test_a_message_that_is_too_long_is_refused(suite):
    for form in WEB_FORMS:
        told = called(suite, "partner", SUBMIT, framed(bytes(5 << 20)), form).error
        assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
        # Refused by its length alone, before any more of it.
        told = called(suite, "partner", SUBMIT, framed(bytes(5 << 20))[:5], form).error
        assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")


def test_half_a_message_is_no_request(suite):
    person = PEOPLE.next()
    whole = framed(enrollment(person).SerializeToString())
    # The frame says that there is one byte more; the request would be valid without it.
    short = whole[:1] + (len(whole) - 4).to_bytes(4, "big") + whole[5:]
    for form in WEB_FORMS:
        for body in (short, whole[:3], b"", whole + whole):
            document = called(suite, "partner", SUBMIT, body, form)
            assert document.error and not document.results, body[:5]
    assert not suite.members_of(suite.client("staff"), person.resident_id)


def test_text_that_is_not_base64_is_refused(suite):
    caller = Caller(suite, "staff")
    for body in (b"AAAA!AAA", b"AAAAA"):
        response, answer = caller("POST", f"/{SERVICE}/GetRegion", body, content_type=WEB_TEXT)
        assert response.status == 200
        assert WEB_FORMS[WEB_TEXT](answer).error.code == CODE.INTERNAL
    caller.connection.close()


def test_another_verb_than_post_is_405(suite):
    for verb in ("GET", "PUT"):
        response, _ = Caller(suite, "staff")(verb, EXPORT, content_type=WEB)
        assert (response.status, response.getheader("allow")) == (405, "POST")


# Pages of other origins


PAGE = "https://console.example.org"


@pytest.fixture(scope="module")
def pages(suite):
    """Sets the origins whose pages may call."""
    text = suite.gateway_file.read_text()

    def allow(*origins):
        suite.gateway_file.write_text(f"browser_origins: {json.dumps(origins)}\n{text}")
        page = f"http://127.0.0.1:{suite.ports.admin['gateway']}/reload"
        request = urllib.request.Request(page, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200

    yield allow
    allow()


def fields(suite, verb, path, origin, who=None, body=None, **more):
    """(status, the fields of CORS without their prefix, vary) of a page's request."""
    caller = Caller(suite, who)
    response, _ = caller(verb, path, body, origin=origin, **more)
    caller.connection.close()
    start = "access-control-"
    found = {k[len(start):]: v for k, v in response.getheaders() if k.startswith(start)}
    return response.status, found, response.getheader("vary")


def words(text):
    return {word.strip() for word in text.split(",")}


def test_a_preflight_says_what_a_page_may_send(suite, pages):
    pages(PAGE)
    asked = "x-api-key,content-type, X-Request-Tag ,yijia-caller-bin,grpc-status"
    for path in ("/v1/enrollments", SUBMIT, "/v1/nothing", REGION):
        status, allowed, vary = fields(
            suite, "OPTIONS", path, PAGE, access_control_request_method="POST",
            access_control_request_headers=asked)
        assert (status, allowed.pop("allow-origin")) == (204, PAGE)
        assert words(allowed.pop("allow-methods")) >= {"GET", "POST", "PUT", "PATCH", "DELETE"}
        names = words(allowed.pop("allow-headers"))
        assert names >= {
            "authorization", "x-api-key", "content-type", "grpc-timeout", "x-grpc-web",
            "x-user-agent", "last-event-id", "x-request-tag"}
        assert not names & {"yijia-caller-bin", "grpc-status", "cookie"}
        assert int(allowed.pop("max-age")) > 0
        assert words(vary) == {"origin", "access-control-request-headers"}
        # Cookies are not read: nobody is let to send them.
        assert set(allowed) == {"expose-headers"}
    ca = suite.folder / "tls/authority.crt"
    assert curl(
        suite, "--http2", "-X", "OPTIONS", "-H", f"origin: {PAGE}", "-H",
        "access-control-request-method: POST", f"https://{suite.gateway}{SUBMIT}",
        "--cacert", str(ca)) == ("2 204", "")


@pytest.mark.parametrize("origin", [
    "https://other.example.org", "http://console.example.org", f"{PAGE}.evil.example",
    f"{PAGE}:8443", "https://CONSOLE.example.org", "null", "*", ""])
def test_a_page_of_another_origin_is_told_nothing(suite, pages, origin):
    pages(PAGE)
    status, allowed, vary = fields(
        suite, "OPTIONS", SUBMIT, origin, access_control_request_method="POST")
    assert (status, allowed) == (204, {})
    assert "origin" in words(vary)
    # It is the browser that keeps the answer from the page, and caches keep them apart.
    status, allowed, vary = fields(suite, "GET", REGION, origin, "partner")
    assert (status, allowed, vary) == (200, {}, "origin")


def test_a_page_reads_answers_and_refusals_alike(suite, pages):
    pages("https://other.example.org", PAGE)
    message = framed(members.GetRegionRequest(name="regions/130302").SerializeToString())
    for verb, path, who, body, more, expected in (
            ("GET", REGION, "partner", None, {}, 200),
            ("GET", REGION, None, None, {}, 401),
            ("GET", "/v1/nothing", None, None, {}, 404),
            ("PUT", "/v1/enrollments", "partner", "{}", {}, 405),
            ("POST", "/v1/enrollments", "partner", "{", {}, 400),
            ("POST", "/v1/enrollments", "partner", "{}", {"content_type": "text/plain"}, 415),
            ("POST", "/v1/enrollments", "partner", " " * (5 << 20), {}, 413),
            ("GET", "/openapi.json", None, None, {}, 200),
            ("POST", f"/{SERVICE}/GetRegion", "partner", message, {"content_type": WEB}, 200),
            ("POST", f"/{SERVICE}/GetRegion", None, message, {"content_type": WEB}, 200),
            ("GET", f"/{SERVICE}/GetRegion", None, None, {"content_type": WEB}, 405)):
        status, allowed, vary = fields(suite, verb, path, PAGE, who, body, **more)
        assert (status, allowed["allow-origin"]) == (expected, PAGE), path
        assert words(allowed["expose-headers"]) >= {
            "grpc-status", "grpc-message", "grpc-status-details-bin", "retry-after", "ratelimit",
            "x-trace-id"}
        assert "allow-credentials" not in allowed and "origin" in words(vary), path


def test_a_stream_can_be_read_by_a_page(suite, pages):
    pages(PAGE)
    suite.client("partner").members.SubmitEnrollment(enrollment(PEOPLE.next()))
    for form in (NDJSON, EVENTS, WEB_TEXT):
        with feed(suite, form, origin=PAGE) as reading:
            assert reading.response.getheader("access-control-allow-origin") == PAGE
            assert reading.until(len)


def test_the_setting_decides_and_changes_at_once(suite, pages):
    for origins, letting in ([], None), (["*"], PAGE), ([PAGE], PAGE), ([], None):
        pages(*origins)
        for verb in ("OPTIONS", "GET"):
            _, allowed, vary = fields(suite, verb, REGION, PAGE, "partner")
            assert allowed.get("allow-origin") == letting
            assert bool(allowed) == bool(letting)
            assert bool(vary) == bool(origins)
