"""Members' one-time codes, posted to the relay of an operator."""

import http.server
import json
import signal
import threading

import grpc
import pytest

from clients import Client
from contracts import refused
from people import People, enrollment
from processes import wait_until
from stubs import accounts, members
from suite import Suite

PEOPLE = People(series=17)


class Relay:
    """An HTTP server that records codes, and answers with `status`."""

    def __init__(self):
        self.status, self.requests, relay = 200, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                relay.requests.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(relay.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/codes"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def relay():
    relay = Relay()
    yield relay
    relay.close()


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    file = tmp_path_factory.mktemp("relay") / "token"
    file.write_text("first-token\n")
    return file


@pytest.fixture(scope="module")
def suite(tmp_path_factory, binaries, relay, token):
    suite = Suite(tmp_path_factory.mktemp("member-codes") / "suite", binaries)
    suite.prepare()
    text = suite.gateway_file.read_text()
    setting = ("member_code_sender: webhook\n"
               f"member_code_webhook: {{url: '{relay.url}', token_file: {token}}}\n")
    assert "member_code_sender: log\n" in text
    suite.gateway_file.write_text(text.replace("member_code_sender: log\n", setting))
    try:
        suite.start("members", "stations", "gateway")
        suite.import_tree()
        yield suite
    finally:
        suite.close()


@pytest.fixture
def sessions(suite):
    client = Client(suite.gateway, suite.authority)
    yield accounts.SessionsServiceStub(client.intercepted)
    client.close()


def ask(sessions, phone):
    return sessions.RequestMemberCode(accounts.RequestMemberCodeRequest(phone=phone))


def test_a_member_signs_in_with_the_code_that_the_relay_got(suite, relay, sessions):
    person = PEOPLE.next()
    suite.client("partner").members.SubmitEnrollment(enrollment(person))
    ask(sessions, person.phone)
    path, headers, body = relay.requests[-1]
    headers = {name.lower(): value for name, value in headers.items()}
    assert path == "/codes" and body["phone"] == f"+86{person.phone}"
    assert headers["authorization"] == "Bearer first-token"
    assert headers["idempotency-key"] == body["idempotency_key"]
    assert body["code"] in body["text"] and body["expire_time"].endswith("Z")
    signed_in = sessions.SignInMember(
        accounts.SignInMemberRequest(phone=person.phone, code=body["code"]))
    member = Client(
        suite.gateway, suite.authority, [("authorization", f"Bearer {signed_in.token}")])
    assert member.members.GetMyMembership(members.GetMyMembershipRequest()).member
    member.close()
    log = suite.children["gateway"].output
    assert f"code={body['code']}" not in log and person.phone not in log


def test_a_relay_that_refuses_is_reported_to_the_member_and_does_not_use_codes_up(
        suite, relay, sessions):
    person, relay.status = PEOPLE.next(), 503
    try:
        for _ in range(6):
            told = refused(sessions.RequestMemberCode,
                           accounts.RequestMemberCodeRequest(phone=person.phone))
            assert told.code == grpc.StatusCode.UNAVAILABLE
            assert told.reason == "MEMBER_CODE_UNDELIVERED"
    finally:
        relay.status = 204
    assert ask(sessions, person.phone).lifetime.seconds == 300
    log = suite.children["gateway"].output
    assert "a member's code was not delivered" in log and person.phone not in log
    assert not any(body["text"] in log or f"code={body['code']}" in log
                   for _, _, body in relay.requests[-7:])


def test_a_reload_reads_the_token_again_and_refuses_a_wrong_relay(suite, relay, sessions, token):
    text = suite.gateway_file.read_text()
    token.write_text("second-token\n")
    suite.gateway_file.write_text(text.replace(relay.url, "http://relay.example/"))
    gateway = suite.children["gateway"]
    gateway.send(signal.SIGHUP)
    wait_until(lambda: "member_code_webhook.url: https" in gateway.output, what="the refusal")
    suite.gateway_file.write_text(text)
    gateway.send(signal.SIGHUP)
    wait_until(lambda: "configuration reloaded" in gateway.output, what="the reload")
    ask(sessions, PEOPLE.next().phone)
    assert relay.requests[-1][1].get("authorization") == "Bearer second-token"
