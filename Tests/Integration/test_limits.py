"""What partners may do: rates, streams, the length of messages, and the calls of a day, at gateways
that are killed."""

import json
import queue
import random
import threading

import grpc
import pytest

from clients import Client
from contracts import refusal, refused
from people import People, application, enrollment, request_id
from processes import wait_until
from stubs import members
from test_json import NDJSON, Caller, as_json, reason

CODE = grpc.StatusCode
PEOPLE = People(series=16)
REGION = "/yijia.members.v1.MembersService/GetRegion"
SUBMIT = "/yijia.members.v1.MembersService/SubmitEnrollment"
ENROLL = "/yijia.members.v1.MembersService/EnrollMembers"
STREAMS = 2
BYTES = 1_000
REQUEST = members.GetRegionRequest(name="regions/130302")
QUOTA = 300
LEASE = QUOTA // 50
THREADS = 4


@pytest.fixture(scope="module")
def limited(suite):
    """The suite with partners that have limits."""
    for who, limits in (
        ("daily_partner", f"{{methods: [{REGION}], calls_per_day: {QUOTA}}}"),
        ("slow_partner", "{calls_per_second: 0.01, burst: 2}"),
        ("narrow_partner", f"{{methods: [{SUBMIT}, {ENROLL}], streams_max: {STREAMS}, "
                           f"message_bytes_max: {BYTES}}}"),
    ):
        suite._add_partner(who)
        text = suite.gateway_file.read_text()
        suite.gateway_file.write_text(text.replace(
            f"    name: {who}\n", f"    name: {who}\n    limits: [{limits}]\n", 1))
    suite.restart("gateway")
    return suite


def calls(client, count):
    """How many of so many calls go through, from several threads; what else happens fails."""
    through = []
    wrong = []

    def run():
        for _ in range(count // THREADS):
            try:
                client.members.GetRegion(REQUEST)
                through.append(1)
            except grpc.RpcError as error:
                told = refusal(error)
                if told.reason != "QUOTA_EXCEEDED":
                    wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    return len(through)


def test_a_day_has_no_more_calls_than_its_quota_however_often_the_gateway_is_killed(limited):
    rounds = 6
    total = 0
    for _ in range(rounds):
        total += calls(limited.client("daily_partner"), random.randint(1, 6) * THREADS)
        limited.kill("gateway")
        limited.start("gateway")
    total += calls(limited.client("daily_partner"), 2 * QUOTA)
    assert total <= QUOTA, "never more"
    assert total >= QUOTA - rounds * LEASE, "at most one lease a kill is lost"
    with pytest.raises(grpc.RpcError) as caught:
        limited.client("daily_partner").members.GetRegion(REQUEST)
    assert caught.value.code() == CODE.RESOURCE_EXHAUSTED
    told = refusal(caught.value)
    assert told.reason == "QUOTA_EXCEEDED"
    assert 0 < told.retry_seconds <= 86_400


def test_a_json_caller_reads_its_limits_in_the_fields(limited):
    caller = Caller(limited, "slow_partner")
    statuses = []
    for _ in range(3):
        response, body = caller("GET", "/v1/regions/130302")
        statuses.append(response.status)
    assert statuses == [200, 200, 429]
    assert json.loads(body)["code"] == 8
    assert 0 < int(response.getheader("retry-after")) <= 100
    assert response.getheader("ratelimit-policy") == '"rate";q=2;w=200'
    assert response.getheader("ratelimit").startswith('"rate";r=0;t=')


# Concurrent streams


class Enrolling:
    """A stream of applications that the service has answered once, so that it certainly runs."""

    def __init__(self, client):
        self._requests = queue.Queue()
        self.call = client.members.EnrollMembers(iter(self._requests.get, None), timeout=60)
        self.send()
        assert next(self.call).row == 1

    def send(self, **changes):
        self._requests.put(members.EnrollMembersRequest(
            request_id=request_id(), row=1, application=application(PEOPLE.next(), **changes)))

    def finish(self):
        """Ends it as a client does that has no more rows."""
        self._requests.put(None)
        assert list(self.call) == []
        assert self.call.code() == CODE.OK

    def close(self):
        self._requests.put(None)
        self.call.cancel()


def enroll_by_json(limited):
    """One application by a stream of lines; (response, body)."""
    row = as_json(members.EnrollMembersRequest(
        request_id=request_id(), row=1, application=application(PEOPLE.next())))
    return Caller(limited, "narrow_partner")("POST", ENROLL, json.dumps(row), content_type=NDJSON)


def is_let_in(limited):
    return enroll_by_json(limited)[0].status == 200


@pytest.fixture
def streams(limited):
    """As many streams as the partner may have, all on one connection: (client, streams)."""
    client = Client(limited.gateway, limited.authority, limited.metadata("narrow_partner"))
    streams = [Enrolling(client) for _ in range(STREAMS)]
    yield client, streams
    for stream in streams:
        stream.close()
    client.close()
    wait_until(lambda: is_let_in(limited), what="the slots of the streams")


def test_a_partner_has_no_more_streams_than_it_may_have_in_any_protocol(limited, streams):
    more = limited.client("narrow_partner").members.EnrollMembers(iter(()))
    told = refused(lambda: more)
    assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "STREAMS_EXCEEDED")
    assert told.metadata == {"streams_max": str(STREAMS)}
    assert told.retry_seconds == 1
    fields = dict([*more.initial_metadata(), *more.trailing_metadata()])
    policy, left = f'"streams";q={STREAMS};qu="concurrent-requests"', '"streams";r=0;t=1'
    assert (fields["ratelimit-policy"], fields["ratelimit"]) == (policy, left)
    response, body = enroll_by_json(limited)
    assert (response.status, reason(body)) == (429, "STREAMS_EXCEEDED")
    assert response.getheader("retry-after") == "1"
    assert (response.getheader("ratelimit-policy"), response.getheader("ratelimit")) == (
        policy, left)
    # Methods are counted separately, and so are partners.
    limited.client("narrow_partner").members.SubmitEnrollment(enrollment(PEOPLE.next()))
    Enrolling(limited.client("partner")).finish()


def test_a_stream_that_ends_gives_its_slot_back_and_only_its_own(limited, streams):
    client, (first, _) = streams
    first.finish()
    again = Enrolling(client)
    assert enroll_by_json(limited)[0].status == 429
    again.finish()
    assert is_let_in(limited)


def test_a_stream_that_is_cancelled_gives_its_slot_back(limited, streams):
    _, (first, _) = streams
    assert not is_let_in(limited)
    first.call.cancel()
    wait_until(lambda: is_let_in(limited), what="the slot")


def test_a_client_that_goes_away_gives_all_its_slots_back(limited, streams):
    client, _ = streams
    assert not is_let_in(limited)
    client.close()
    wait_until(lambda: is_let_in(limited), what="a slot")
    other = limited.client("narrow_partner")
    for stream in [Enrolling(other) for _ in range(STREAMS)]:
        stream.finish()


# The length of messages


def long_enrollment(size):
    """A request of exactly that many bytes; its employer's name is too long for the service."""
    request = enrollment(PEOPLE.next(), employer_name="x" * BYTES)
    name = BYTES + size - request.ByteSize()
    request.application.employer_name = "x" * name
    assert request.ByteSize() == size
    return request


def test_a_message_beyond_the_partners_limit_does_not_reach_the_service(limited):
    call = limited.client("narrow_partner").members.SubmitEnrollment
    told = refused(call, long_enrollment(BYTES))
    assert (told.code, told.domain) == (CODE.INVALID_ARGUMENT, "members.yijia"), "it got there"
    told = refused(call, long_enrollment(BYTES + 1))
    assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert told.domain == "gateway.yijia"
    assert told.metadata == {"bytes_max": str(BYTES)}
    assert told.retry_seconds is None, "it is too long the next time, too"
    response, body = Caller(limited, "narrow_partner")(
        "POST", "/v1/enrollments", as_json(long_enrollment(BYTES + 1)))
    assert (response.status, reason(body)) == (413, "MESSAGE_TOO_LARGE")
    # Others may send it.
    told = refused(limited.client("partner").members.SubmitEnrollment, long_enrollment(BYTES + 1))
    assert told.domain == "members.yijia"


def test_a_message_too_long_ends_its_stream_after_those_before_it_were_answered(limited):
    stream = Enrolling(limited.client("narrow_partner"))
    stream.send(employer_name="x" * BYTES)
    told = refused(lambda: stream.call)
    assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert told.metadata == {"bytes_max": str(BYTES)}
    stream.close()
    wait_until(lambda: is_let_in(limited), what="its slot")


# Last: it once ended the gateway.


def test_json_clients_that_break_off_in_the_middle_give_their_slots_back(limited):
    responses = []
    for _ in range(STREAMS):
        caller = Caller(limited, "narrow_partner")
        link = caller.connection
        link.putrequest("POST", ENROLL)
        for name, value in {**caller.fields, "content-type": NDJSON}.items():
            link.putheader(name, value)
        link.putheader("transfer-encoding", "chunked")
        link.endheaders()
        line = json.dumps(as_json(members.EnrollMembersRequest(
            request_id=request_id(), row=1, application=application(PEOPLE.next())))) + "\n"
        link.send(f"{len(line.encode()):x}\r\n{line}\r\n".encode())
        responses.append(link.getresponse())
        assert responses[-1].status == 200
        assert "result" in json.loads(responses[-1].readline())
    assert not is_let_in(limited)
    for response in responses:
        response.close()  # and with it the connection, which the response has taken over
    wait_until(lambda: is_let_in(limited), what="a slot")
    assert limited.children["gateway"].is_running
