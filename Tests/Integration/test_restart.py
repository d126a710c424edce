"""Services start and stop in any order; what was taken in while one is away is made good later."""

import itertools
import queue

import grpc
import pytest

from clients import pages
from contracts import refused
from kiosk import Spool, report_all
from people import People, application, enrollment, request_id
from processes import wait_until
from stubs import members, stations
from suite import DRAIN_SECONDS, SERVICES

PEOPLE = People(series=4)
CODE = grpc.StatusCode


def works(suite):
    """The main job goes through: an enrollment, and a visit."""
    suite.client("partner").members.SubmitEnrollment(enrollment(PEOPLE.next()))
    return report_all(suite.client("kiosk").stations, [""])


def visit_of(suite, staff, spool):
    """The only visit of a spool, as stored."""
    request = stations.ListVisitsRequest(point=suite.point, page_size=1_000)
    rows = pages(staff.stations.ListVisits, request, "visits")
    return next(row for row in rows if row.spool_epoch == spool.epoch)


def is_through(call):
    """Whether a call works by now; unavailable is the only way in which it may not."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == CODE.UNAVAILABLE, error
        return False
    return True


@pytest.mark.parametrize("order", list(itertools.permutations(SERVICES)), ids="-".join)
def test_services_start_in_any_order(suite, order):
    suite.kill(*SERVICES)
    for name in order:
        suite.start(name, wait=False)
    suite.wait_until_serving(*SERVICES)
    staff = suite.client("staff")
    wait_until(lambda: is_through(
        lambda: staff.members.ListMembers(members.ListMembersRequest(page_size=1))),
        what="members through the gateway")
    wait_until(lambda: is_through(
        lambda: suite.client("kiosk").stations.GetPoint(
            stations.GetPointRequest(name=suite.point))), what="stations through the gateway")
    works(suite)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_is_restarted_is_found_again(suite, name):
    suite.restart(name)
    staff = suite.client("staff")
    call = (lambda: staff.stations.GetPoint(stations.GetPointRequest(name=suite.point))) if (
        name == "stations") else (
        lambda: staff.members.ListMembers(members.ListMembersRequest(page_size=1)))
    wait_until(lambda: is_through(call), what=name)
    works(suite)


def test_a_visit_while_members_is_away_is_taken_and_matched_later(suite):
    # Stations is away while the member joins, so that it can't know the code.
    partner, staff, kiosk = (suite.client(who) for who in ("partner", "staff", "kiosk"))
    suite.kill("stations")
    person = PEOPLE.next()
    partner.members.SubmitEnrollment(enrollment(person))
    [member] = suite.members_of(staff, person.resident_id)
    code = staff.members.GetMemberCode(members.GetMemberCodeRequest(name=member.name)).code
    suite.kill("members")
    suite.start("stations")
    wait_until(lambda: is_through(
        lambda: kiosk.stations.GetPoint(stations.GetPointRequest(name=suite.point))),
        what="stations through the gateway")
    spool, notices = report_all(kiosk.stations, [code])
    assert notices == []
    assert visit_of(suite, staff, spool).state == stations.VISIT_STATE_UNMATCHED
    suite.start("members")
    matched = wait_until(
        lambda: (lambda row: row.state == stations.VISIT_STATE_MATCHED and row)(
            visit_of(suite, staff, spool)), 30, "the match by feed")
    assert matched.member == member.name
    days = staff.stations.GetDailyVisitStatistics(
        stations.GetDailyVisitStatisticsRequest(point=suite.point)).days
    assert sum(day.unmatched for day in days) == 0
    assert sum(day.matched for day in days) == 1


def test_what_was_told_before_a_kill_holds_after_it(suite):
    """Replies of request ids, page tokens, cursors, codes, occupancy."""
    wait_until(lambda: is_through(lambda: works(suite)), what="the suite")
    partner, staff = suite.client("partner"), suite.client("staff")
    request = enrollment(PEOPLE.next())
    reply = partner.members.SubmitEnrollment(request)
    page = members.ListMembersRequest(page_size=2)
    page.page_token = staff.members.ListMembers(page).next_page_token
    rows = staff.members.ListMembers(page).members
    watch = members.WatchMemberEventsRequest(stop_at_end=True)
    cursor = list(partner.members.WatchMemberEvents(watch))[-1].cursor
    code = staff.members.IssueOrganizationCode(members.IssueOrganizationCodeRequest(
        request_id=request_id(), organization=suite.organization("q-130303001"))).code
    occupancy = stations.WatchOccupancyRequest(point=suite.point)
    present = next(staff.stations.WatchOccupancy(occupancy)).present
    suite.kill(*SERVICES)
    suite.start(*SERVICES)
    wait_until(lambda: is_through(lambda: staff.stations.GetPoint(
        stations.GetPointRequest(name=suite.point))), what="stations through the gateway")
    wait_until(lambda: is_through(lambda: staff.members.ListMembers(page)), what="members")
    assert partner.members.SubmitEnrollment(request) == reply
    assert staff.members.ListMembers(page).members == rows
    watch.cursor = cursor
    assert list(partner.members.WatchMemberEvents(watch)) == []
    resolved = partner.members.ResolveOrganizationCode(
        members.ResolveOrganizationCodeRequest(text=code.text))
    assert resolved.code.name == code.name
    assert next(staff.stations.WatchOccupancy(occupancy)).present == present


def test_enrolling_goes_on_while_stations_is_away(suite):
    suite.kill("stations")
    try:
        assert suite.client("partner").members.SubmitEnrollment(enrollment(PEOPLE.next()))
        told = refused(suite.client("staff").stations.GetPoint,
                       stations.GetPointRequest(name=suite.point))
        assert (told.code, told.reason) == (CODE.UNAVAILABLE, "BACKEND_UNAVAILABLE")
    finally:
        suite.start("stations")


def bulk_stream(suite):
    """An open bulk enrollment that has answered once; (the call, its requests)."""
    requests = queue.Queue()
    requests.put(record(1))
    call = suite.client("partner").members.EnrollMembers(iter(requests.get, None))
    assert next(call).row == 1
    return call, requests


def record(row):
    return members.EnrollMembersRequest(
        request_id=request_id(), row=row, application=application(PEOPLE.next()))


@pytest.mark.parametrize("name", ["members", "gateway"])
def test_a_stopping_service_lets_an_open_call_finish(suite, name):
    wait_until(lambda: is_through(lambda: works(suite)), what="the suite")
    call, requests = bulk_stream(suite)
    child = suite.children[name]
    child.send(15)
    try:
        # Its health says so, before and while the call goes on.
        wait_until(
            lambda: "stopping" in child.output or "signal" in child.output, what="the signal")
        for row in range(2, 12):
            requests.put(record(row))
            assert next(call).row == row
        requests.put(None)
        assert list(call) == []
        assert child.wait(DRAIN_SECONDS + 10) == 0
    finally:
        child.kill()
        suite.start(name)


def test_a_stopping_service_gives_up_endless_calls_after_its_drain_time(suite):
    wait_until(lambda: is_through(lambda: works(suite)), what="the suite")
    watch = suite.client("staff").stations.WatchOccupancy(
        stations.WatchOccupancyRequest(point=suite.point))
    next(watch)
    suite.stop("stations", seconds=DRAIN_SECONDS + 8)
    suite.start("stations")
    assert refused(lambda: watch).code == CODE.UNAVAILABLE


def test_an_unfinished_spool_is_resumed_after_the_service_was_killed(suite):
    wait_until(lambda: is_through(lambda: works(suite)), what="the suite")
    kiosk, staff = suite.client("kiosk").stations, suite.client("staff")
    spool = Spool()
    for _ in range(500):
        spool.add()
    spool.finish()
    suite.kill("stations")
    suite.start("stations")
    wait_until(lambda: is_through(lambda: report_all(kiosk, [], spool)), what="the spool")
    rows = pages(staff.stations.ListVisits,
                 stations.ListVisitsRequest(point=suite.point, page_size=1_000), "visits")
    assert [row.sequence for row in rows if row.spool_epoch == spool.epoch] == list(range(1, 501))
