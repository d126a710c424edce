"""One person, one live membership, whoever asks how often and how many at once."""

import concurrent.futures

import grpc
import pytest

from people import People, enrollment, request_id
from stubs import members

PEOPLE = People(series=3)
AT_ONCE = 64


def submit_at_once(clients, requests):
    """All requests at the same moment, shared out over the clients; their enrollments."""
    calls = [
        clients[index % len(clients)].members.SubmitEnrollment.future(request)
        for index, request in enumerate(requests)]
    return [call.result().enrollment for call in calls]


def test_64_concurrent_enrollments_of_a_person_over_two_connections_give_one_membership(suite):
    clients = [
        suite.client("partner", options=[("test.pool", 1)]),
        suite.client("other_partner", options=[("test.pool", 2)])]
    person = PEOPLE.next()
    answers = submit_at_once(clients, [enrollment(person) for _ in range(AT_ONCE)])
    assert len(suite.members_of(suite.client("staff"), person.resident_id)) == 1
    # An enrollment each, and nothing tells which of them founded the membership.
    assert len({answer.name for answer in answers}) == AT_ONCE
    for answer in answers:
        answer.ClearField("name")
        answer.ClearField("create_time")
    assert all(answer == answers[0] for answer in answers)


def test_concurrent_retries_of_one_request_give_one_enrollment(suite):
    clients = [suite.client("partner") for _ in range(2)]
    request = enrollment(PEOPLE.next())
    answers = submit_at_once(clients, [request] * AT_ONCE)
    assert all(answer == answers[0] for answer in answers)


def test_concurrent_requests_of_one_id_and_two_payloads_have_one_winner(suite):
    partner, id = suite.client("partner"), request_id()
    people = [PEOPLE.next(), PEOPLE.next()]
    calls = [
        partner.members.SubmitEnrollment.future(enrollment(people[index % 2], id))
        for index in range(AT_ONCE)]
    codes = [call.code() for call in calls]
    assert sorted({code.name for code in codes}) == ["ALREADY_EXISTS", "OK"]
    assert codes.count(grpc.StatusCode.OK) == AT_ONCE // 2
    staff = suite.client("staff")
    assert sum(len(suite.members_of(staff, person.resident_id)) for person in people) == 1


@pytest.mark.parametrize("written", ["130105", "１３０１０５"])
def test_a_person_is_the_same_however_the_id_is_written(suite, written):
    """An ID that ends in X, in capitals, small, full width: one person."""
    person = next(p for p in iter(PEOPLE.next, None) if p.resident_id.endswith("X"))
    wide = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
    forms = [person.resident_id, person.resident_id.lower(), f" {person.resident_id} "]
    if not written.isascii():
        forms = [form.translate(wide) for form in forms]
    partner = suite.client("partner")
    for form in forms:
        partner.members.SubmitEnrollment(enrollment(person, resident_id=form))
    assert len(suite.members_of(suite.client("staff"), person.resident_id)) == 1


def test_counters_equal_the_members_after_concurrent_enrollments(suite):
    clients = [suite.client("partner"), suite.client("other_partner")]
    people = [PEOPLE.next() for _ in range(16)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(
            lambda _: submit_at_once(clients, [enrollment(person) for person in people]), range(4)))
    staff = suite.client("staff")
    for person in people:
        assert len(suite.members_of(staff, person.resident_id)) == 1
    answer = staff.members.ListMembers(members.ListMembersRequest(page_size=1_000))
    counted = staff.members.GetEnrollmentStatistics(members.GetEnrollmentStatisticsRequest())
    assert not answer.next_page_token
    assert counted.live_members == len(answer.members)
    assert sum(count.members for count in counted.counts) == len(answer.members)
