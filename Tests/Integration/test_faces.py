"""What JSON callers get when something goes wrong: deadlines, services that die, uploads that
break, requests that are not served."""

import json
import re
import secrets
import signal
import socket
import struct
import subprocess

import pytest

from contracts import refused
from faces import EVENTS, FEED, JSON_FORMS, Reading, blocks, feed, members_killed
from people import People, enrollment, request_id
from processes import wait_until
from stubs import members
from test_json import ENROLL, JSON, NDJSON, Caller, as_json, curl, reason

PEOPLE = People(series=9)
SINGLE = "/v1/enrollments"


@pytest.fixture(scope="module")
def partner(suite):
    return Caller(suite, "partner")


@pytest.fixture(scope="module")
def staff(suite):
    return Caller(suite, "staff")


def enroll(partner, person=None):
    response, body = partner("POST", SINGLE, as_json(enrollment(person or PEOPLE.next())))
    assert response.status == 200, body
    return json.loads(body)["enrollment"]["name"]


def told(status):
    """(code, reason, whether a retry is said to help) of a status in JSON."""
    details = {detail["@type"].rpartition(".")[2]: detail for detail in status["details"]}
    assert status["message"] and details["LocalizedMessage"]["message"]
    return status["code"], details["ErrorInfo"]["reason"], "RetryInfo" in details


# Deadlines


def test_a_deadline_that_passes_is_504(suite, staff):
    service = suite.children["members"]
    service.send(signal.SIGSTOP)
    try:
        for verb, path, body in (
                ("GET", "/v1/regions/130302", None),
                ("POST", "/yijia.members.v1.MembersService/GetRegion", {"name": "regions/130302"})):
            response, answer = staff(verb, path, body, grpc_timeout="200m")
            assert (response.status, response.getheader("content-type")) == (504, JSON)
            assert told(json.loads(answer)) == (4, "DEADLINE_EXCEEDED", False)
    finally:
        service.send(signal.SIGCONT)
    assert staff("GET", "/v1/regions/130302", grpc_timeout="20S")[0].status == 200


def test_a_deadline_that_cannot_be_read_is_400(staff):
    response, answer = staff("GET", "/v1/regions/130302", grpc_timeout="soon")
    assert (response.status, reason(answer)) == (400, "TIMEOUT_MALFORMED")


def test_a_stream_whose_deadline_passes_is_a_whole_document_that_says_so(suite, partner):
    enroll(partner)
    feeds = {form: feed(suite, form, grpc_timeout="2S") for form in JSON_FORMS}
    for form, reading in feeds.items():
        with reading:
            assert reading.response.status == 200
            document = JSON_FORMS[form](reading.whole())
            assert document.results and told(document.error)[:2] == (4, "DEADLINE_EXCEEDED"), form


# Services that die


def test_a_stream_whose_service_dies_is_a_whole_document_that_says_so(suite, partner, tmp_path):
    enroll(partner)
    feeds = {form: feed(suite, form) for form in JSON_FORMS}
    for reading in feeds.values():
        reading.until(len)
    # The same over HTTP/2, where the end is a frame.
    saved = tmp_path / "feed.json"
    key = ": ".join(suite.metadata("partner")[0])
    with subprocess.Popen([
            "curl", "-sSN", "--http2", "--cacert", suite.folder / "tls/authority.crt", "-H", key,
            "-H", f"accept: {JSON}", "-o", saved, f"https://{suite.gateway}{FEED}"]) as client:
        try:
            wait_until(lambda: saved.exists() and saved.stat().st_size, what="the first event")
            with members_killed(suite):
                for form, reading in feeds.items():
                    with reading:
                        document = JSON_FORMS[form](reading.whole())
                    assert document.results, form
                    assert told(document.error) == (14, "BACKEND_LOST", True), form
                assert client.wait(20) == 0
        finally:
            client.kill()
    document = JSON_FORMS[JSON](saved.read_bytes())
    assert document.results and told(document.error) == (14, "BACKEND_LOST", True)


def test_events_go_on_behind_the_last_one_whatever_was_killed(suite, partner, staff):
    """As a browser's EventSource does it: `last-event-id` is the `id` that it saw last."""
    names = [enroll(partner) for _ in range(2)]

    def seen(body):
        """The id and the entity of each whole event."""
        found = blocks(body[:body.rfind(b"\n\n") + 2])
        return [(one["id"], json.loads(one["data"])["entity"]) for one in found]

    def first_behind(last):
        with feed(suite, EVENTS, last_event_id=last) as reading:
            return seen(reading.until(seen))[0][1]

    with feed(suite, EVENTS) as reading:
        events = seen(reading.until(
            lambda body: set(names) <= {entity for _, entity in seen(body)}))
    (before, _), (last, entity) = events[-2:]
    assert first_behind(before) == entity
    with members_killed(suite):
        suite.kill("gateway")
        suite.start("gateway")
    for caller in (partner, staff):
        caller.connection.close()
    assert first_behind(before) == entity
    newest = enroll(partner)
    assert first_behind(last) == newest


# Requests that are not served


def record(person, row):
    return json.dumps({"row": row, **as_json(enrollment(person))}).encode() + b"\n"


LONG = 5 << 20


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("who, status, why", [
    ("partner", 413, "MESSAGE_TOO_LARGE"), (None, 401, "CALLER_UNPROVEN"),
    ("viewer", 403, "ROLE")])
def test_a_body_of_unknown_length_is_refused_when_it_is_too_long(
        suite, tmp_path, version, who, status, why):
    body = tmp_path / "body.json"
    body.write_bytes(b" " * LONG)
    fields = {**dict(suite.metadata(who)), "content-type": JSON, "expect": "",
              "content-length": ""}
    if version == "--http1.1":
        fields["transfer-encoding"] = "chunked"
    flags = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    got, answer = curl(
        suite, version, *flags, "-T", str(body), "-X", "POST", f"https://{suite.gateway}{SINGLE}")
    assert got.split()[1] == str(status), answer
    assert reason(answer) == why


def test_a_line_that_is_too_long_ends_the_upload_behind_those_before_it(partner):
    body = record(PEOPLE.next(), 1) + b" " * LONG + b"\n"
    response, answer = partner("POST", ENROLL, body, content_type=NDJSON)
    document = JSON_FORMS[NDJSON](answer)
    assert response.status == 200 and len(document.results) == 1
    assert told(document.error)[:2] == (8, "MESSAGE_TOO_LARGE")


ID = f'"requestId":"{request_id()}"'


@pytest.mark.parametrize("body, field, why", [
    (f'{{{ID},"nothing":1}}', "nothing", "no such field"),
    (f'{{{ID},"application":{{"areas":{{"wrok":"1"}}}}}}', "application.areas.wrok",
     "no such field"),
    (f'{{{ID},{ID}}}', "requestId", "twice"),
    (f'{{{ID},"request_id":"x"}}', "requestId", "twice"),
    (f'{{{ID},"application":{{"phone":"1","phone":"2"}}}}', "application.phone", "twice"),
    (f'{{{ID}}} {{}}', "", "something follows"),
    (f'{{{ID},"application":' + '{"areas":' * 20_000, None, "deep"),
    (f'{{{ID},"application":{{"phone":"\\ud800"}}}}', "application.phone", "surrogate"),
    (b'{"requestId":"\xff"}', None, "UTF-8"),
])
def test_json_that_is_not_a_request_is_400_and_names_the_place(partner, body, field, why):
    response, answer = partner("POST", SINGLE, body, accept_language="en")
    assert (response.status, reason(answer)) == (400, "INVALID_FIELDS")
    wrong = next(
        detail["fieldViolations"] for detail in json.loads(answer)["details"]
        if "fieldViolations" in detail)
    assert why in wrong[-1]["description"], wrong
    if field is not None:
        assert [one.get("field", "") for one in wrong] == [field]


@pytest.mark.parametrize("path, fields, why, more", [
    (SINGLE, {"content-type": "text/plain"}, "CONTENT_TYPE_UNSUPPORTED", {}),
    (SINGLE, {"content-type": NDJSON}, "CONTENT_TYPE_UNSUPPORTED", {}),
    (SINGLE, {"content-type": "application/x-www-form-urlencoded"}, "CONTENT_TYPE_UNSUPPORTED",
     {}),
    (ENROLL, {"content-type": "text/csv"}, "CONTENT_TYPE_UNSUPPORTED", {}),
    (SINGLE, {"content-encoding": "gzip"}, "CONTENT_ENCODING_UNSUPPORTED",
     {"accept-encoding": "identity"}),
])
def test_a_body_of_another_type_is_415(partner, path, fields, why, more):
    response, answer = partner("POST", path, "{}", **fields)
    assert (response.status, reason(answer)) == (415, why)
    assert {name: response.getheader(name) for name in more} == more


def test_json_in_its_variants_is_taken(partner):
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        body = as_json(enrollment(PEOPLE.next()))
        assert partner("POST", SINGLE, body, content_type=kind)[0].status == 200


def allowed(response):
    return set(re.split(r", *", response.getheader("allow") or ""))


def test_another_verb_is_405_and_says_which(suite, staff):
    for verb, path, verbs in (
            ("PUT", SINGLE, {"GET", "HEAD", "POST", "OPTIONS"}),
            ("DELETE", "/v1/regions/130302", {"GET", "HEAD", "OPTIONS"}),
            ("GET", ENROLL, {"POST", "OPTIONS"}),
            ("PATCH", ENROLL, {"POST", "OPTIONS"}),
            ("PROPFIND", FEED, {"GET", "HEAD", "OPTIONS"})):
        response, answer = staff(verb, path)
        assert (response.status, reason(answer)) == (405, "VERB_NOT_ALLOWED"), path
        assert allowed(response) == verbs
        response, answer = staff("OPTIONS", path)
        assert (response.status, allowed(response), answer) == (204, verbs, b"")
    for path in ("/docs", "/openapi.json", "/me", "/console"):
        response, _ = Caller(suite, None)("POST", path, "{}")
        assert (response.status, allowed(response)) == (405, {"GET", "HEAD", "OPTIONS"}), path


def test_an_accept_that_cannot_be_met_gets_what_there_is(suite, partner, staff):
    for accept in ("text/html", "image/png;q=1, application/json;q=0", "nonsense"):
        response, answer = staff("GET", "/v1/regions/130302", accept=accept)
        assert (response.status, response.getheader("content-type")) == (200, JSON), accept
        assert json.loads(answer)["region"]["code"] == "130302"
    enroll(partner)
    query = "?stop_at_end=true"
    for accept, form in (
            ("image/png", NDJSON), ("text/*", EVENTS),
            ("image/png, application/x-ndjson;q=0", EVENTS),
            ("application/json;q=0.4, text/event-stream;q=0.3", JSON)):
        with Reading(suite, "partner", "GET", FEED + query, accept=accept) as reading:
            assert reading.response.getheader("content-type") == form
            document = JSON_FORMS[form](reading.whole())
        assert document.results and document.error is None


def test_head_is_get_without_its_body(suite, staff):
    def head(path, who="staff", **fields):
        caller = Caller(suite, who)
        responses = [caller(verb, path, **fields) for verb in ("GET", "HEAD")]
        caller.connection.close()
        assert responses[1][1] == b""
        return [
            (response.status, {k: v for k, v in response.getheaders() if k != "date"})
            for response, _ in responses]

    for path, who, status in (
            ("/v1/regions/130302", "staff", 200), ("/v1/regions/000000", "staff", 404),
            ("/v1/nothing", "staff", 404), ("/v1/members", None, 401),
            ("/v1/members", "partner", 403), ("/openapi.json", None, 200)):
        get, alike = head(path, who)
        assert get == alike and get[0] == status, path
    # Of an endless stream there is a head, too, and the connection is free for the next request.
    caller = Caller(suite, "partner")
    response, body = caller("HEAD", FEED, accept=EVENTS)
    assert (response.status, body) == (200, b"")
    assert response.getheader("content-type") == EVENTS
    assert caller("GET", "/v1/regions/130302")[0].status == 200
    assert Caller(suite, None)("HEAD", FEED)[0].status == 401


def test_a_refusal_in_json_says_what_grpc_says(suite, staff):
    response, answer = staff("GET", f"/v1/members/{'0' * 32}", accept_language="en")
    status = json.loads(answer)
    other = refused(
        suite.client("staff", "en").members.GetMember,
        members.GetMemberRequest(name=f"members/{'0' * 32}"))
    assert (status["code"], status["message"], reason(answer)) == (
        other.code.value[0], other.message, other.reason)
    assert response.status == 404


# Uploads that break


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def memberships(suite, person):
    return suite.members_of(suite.client("staff"), person.resident_id)


@pytest.mark.parametrize("head, end", [
    ("content-length: %d", b""), ("transfer-encoding: chunked", b"\r\n"),
])
def test_a_body_that_is_not_whole_is_no_request(suite, head, end):
    """It would be a valid one: only HTTP says that something is missing."""
    person = PEOPLE.next()
    body = json.dumps(as_json(enrollment(person))).encode()
    if end:
        body, head = b"%x\r\n%s" % (len(body), body) + end, head
    else:
        head = head % (len(body) + 1)
    caller = Caller(suite, "partner")
    caller.connection.connect()
    [(name, value)] = caller.fields.items()
    with caller.connection.sock as link:
        link.sendall(
            f"POST {SINGLE} HTTP/1.1\r\nhost: {suite.gateway}\r\n{name}: {value}\r\n"
            f"content-type: {JSON}\r\n{head}\r\n\r\n".encode() + body)
        link.shutdown(socket.SHUT_WR)
        answer = b""
        while more := link.recv(65_536):
            answer += more
    assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer
    assert not memberships(suite, person)


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_an_upload_that_breaks_keeps_what_was_answered_and_nothing_of_the_rest(suite, how):
    people = [PEOPLE.next() for _ in range(3)]
    records = [record(person, row) for row, person in enumerate(people, 1)]
    gateway, trace = suite.children["gateway"], secrets.token_hex(16)
    caller = Caller(suite, "partner")
    link = caller.connection
    link.putrequest("POST", ENROLL)
    fields = {"content-type": NDJSON, "transfer-encoding": "chunked",
              "traceparent": f"00-{trace}-{secrets.token_hex(8)}-00"}
    for name, value in {**caller.fields, **fields}.items():
        link.putheader(name, value)
    link.endheaders(chunk(records[0] + records[1]))
    socket_of_it = link.sock
    response = link.getresponse()
    answers = [json.loads(response.readline())["result"] for _ in range(2)]
    assert [answer["row"] for answer in answers] == ["1", "2"]
    # The end of the record is there, the end of its line and of the body is not.
    socket_of_it.sendall(chunk(records[2].rstrip()))
    if how == "reset":
        socket_of_it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    response.close()
    link.close()

    def is_logged():
        assert gateway.is_running, f"the gateway ended:\n{gateway.tail()}"
        lines = [line for line in gateway.output.splitlines() if trace in line]
        return lines and json.loads(lines[0])["code"] == "CANCELLED"

    wait_until(is_logged, what="the line of the log")
    assert [len(memberships(suite, person)) for person in people] == [1, 1, 0]
    # The whole upload again: those two are the same.
    caller = Caller(suite, "partner")
    _, body = caller("POST", ENROLL, b"".join(records), content_type=NDJSON)
    again = [json.loads(line)["result"] for line in body.splitlines()]
    assert again[:2] == answers and "enrollment" in again[2]
    caller.connection.close()
