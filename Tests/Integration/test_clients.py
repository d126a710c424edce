"""Clients that no one here wrote: grpcio and `buf curl` over TLS, by what connection.json says."""

import concurrent.futures
import json
import uuid

import grpc
import pytest
from google.protobuf import json_format

from clients import Client, buf_curl, pages
from kiosk import Spool, hello, report, report_all, visit
from people import People, application, enrollment, now, request_id
from processes import wait_until
from stubs import LatLng, members, stations

PEOPLE = People(series=1)


@pytest.fixture(scope="module")
def partner(dev):
    return dev.client("partner")


@pytest.fixture(scope="module")
def staff(dev):
    return dev.client("staff")


@pytest.fixture(scope="module")
def kiosk(dev):
    return dev.client("kiosk")


def found(staff, person):
    return list(staff.members.ListMembers(
        members.ListMembersRequest(resident_id=person.resident_id)).members)


# grpcio


def test_a_partner_enrolls_a_worker(partner, staff):
    person = PEOPLE.next()
    answer = partner.members.SubmitEnrollment(enrollment(person)).enrollment
    assert answer.name.startswith("enrollments/")
    assert answer.state == members.ENROLLMENT_STATE_RECEIVED
    assert not (answer.member or answer.organization or answer.route or answer.route_reason)
    assert answer.channel == members.CHANNEL_PARTNER
    [member] = found(staff, person)
    assert member.state == members.MEMBERSHIP_STATE_ACTIVE
    seen = staff.members.GetEnrollment(members.GetEnrollmentRequest(name=answer.name)).enrollment
    assert (seen.member, seen.state) == (member.name, members.ENROLLMENT_STATE_ADMITTED)
    assert seen.route == members.ROUTE_AREA_UNION and "兜底建" in seen.route_reason


def test_bulk_enrollment_answers_every_record_in_order(partner, staff):
    people = [PEOPLE.next() for _ in range(300)]

    def records():
        for row, person in enumerate(people, 1):
            changes = {"phone": "12"} if row % 50 == 0 else {}
            yield members.EnrollMembersRequest(
                request_id=request_id(), row=row, application=application(person, **changes))

    answers = list(partner.members.EnrollMembers(records(), timeout=60))
    assert [answer.row for answer in answers] == list(range(1, 301))
    refused = [answer for answer in answers if answer.WhichOneof("result") == "error"]
    assert [answer.row for answer in refused] == [50, 100, 150, 200, 250, 300]
    for answer in refused:
        assert answer.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert answer.error.reason == "INVALID_FIELDS"
        [violation] = answer.error.field_violations
        assert (violation.field, violation.reason) == ("application.phone", "INVALID_PHONE")
    assert len(found(staff, people[0])) == 1
    assert found(staff, people[49]) == []


def test_bulk_enrollment_of_more_than_a_window_is_answered_while_it_is_sent(partner):
    """3,000 records of one person's making: nothing waits for the other side for ever."""
    person = PEOPLE.next()
    records = (members.EnrollMembersRequest(
        request_id=request_id(), row=row, application=application(person))
        for row in range(1, 3_001))
    answers = list(partner.members.EnrollMembers(records, timeout=60))
    assert [answer.row for answer in answers] == list(range(1, 3_001))
    assert all(answer.enrollment.name for answer in answers)


def test_staff_read_all_members_over_pages_each_once(staff):
    request = members.ListMembersRequest(page_size=97)
    listed = pages(staff.members.ListMembers, request, "members")
    numbers = [member.member_number for member in listed]
    assert len(numbers) >= 635
    assert numbers == sorted(set(numbers))
    assert all("*" in m.person_name_masked and "*" in m.resident_id_masked for m in listed)
    live = staff.members.GetEnrollmentStatistics(members.GetEnrollmentStatisticsRequest())
    assert live.live_members == len(listed) == sum(count.members for count in live.counts)


def test_lists_are_filtered_by_group(staff):
    request = members.ListMembersRequest(
        page_size=1_000, groups=[members.OCCUPATION_GROUP_FOOD_DELIVERY_RIDER])
    listed = pages(staff.members.ListMembers, request, "members")
    assert len(listed) == 55


def test_a_reveal_shows_what_lists_mask(partner, staff):
    person = PEOPLE.next()
    partner.members.SubmitEnrollment(enrollment(person))
    [member] = found(staff, person)
    assert member.resident_id_masked == (
        person.resident_id[:6] + "********" + person.resident_id[-4:])
    assert member.phone_masked.replace("+86", "") == person.phone[:3] + "****" + person.phone[-4:]
    shown = staff.members.RevealMember(members.RevealMemberRequest(
        request_id=request_id(), name=member.name, reason="集成测试核对"))
    assert shown.person_name == person.name
    assert shown.resident_id == person.resident_id
    assert shown.phone == "+86" + person.phone


@pytest.mark.parametrize("written", ["１３０", "+86 ", "86-"])
def test_phones_are_normalized_before_they_are_checked(partner, staff, written):
    person = PEOPLE.next()
    phone = person.phone
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    phone = phone.translate(wide) if written == "１３０" else written + phone
    partner.members.SubmitEnrollment(enrollment(person, phone=phone))
    assert len(found(staff, person)) == 1


def code_of(staff, person):
    [member] = found(staff, person)
    return staff.members.GetMemberCode(members.GetMemberCodeRequest(name=member.name)).code


def listed_visits(staff, point):
    request = stations.ListVisitsRequest(point=point, page_size=200)
    return pages(staff.stations.ListVisits, request, "visits")


def test_a_kiosk_streams_visits(dev, kiosk, partner, staff):
    person = PEOPLE.next()
    partner.members.SubmitEnrollment(enrollment(person))
    spool, notices = report_all(kiosk.stations, [code_of(staff, person), "", "NOSUCHCODE"] * 20)
    assert notices == []
    rows = {row.name.removeprefix("visits/"): row
            for row in listed_visits(staff, dev.connection["station"])}
    states = [rows[id].state for id in spool.ids]
    assert states == 20 * [
        stations.VISIT_STATE_MATCHED, stations.VISIT_STATE_ANONYMOUS,
        stations.VISIT_STATE_UNMATCHED]
    [member] = found(staff, person)
    assert rows[spool.ids[0]].member == member.name


def test_a_replayed_and_reconnected_spool_counts_once(dev, kiosk, staff):
    spool, _ = report_all(kiosk.stations, [""] * 30)
    before = listed_visits(staff, dev.connection["station"])
    report(kiosk.stations, spool, replay=30)
    assert len(listed_visits(staff, dev.connection["station"])) == len(before)


def test_a_new_epoch_is_no_replay(dev, kiosk, staff):
    before = len(listed_visits(staff, dev.connection["station"]))
    for _ in range(2):
        report_all(kiosk.stations, [""] * 5)
    assert len(listed_visits(staff, dev.connection["station"])) == before + 10


def test_two_connections_with_one_spool_count_each_visit_once(dev, kiosk, staff):
    spool = Spool()
    for _ in range(400):
        spool.add()
    spool.finish()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(report, kiosk.stations, spool) for _ in range(2)]:
            done.result()
    rows = listed_visits(staff, dev.connection["station"])
    sequences = [row.sequence for row in rows if row.spool_epoch == spool.epoch]
    assert sequences == list(range(1, 401))


def test_a_visit_reported_again_under_another_number_counts_once(dev, kiosk, staff):
    before = len(listed_visits(staff, dev.connection["station"]))
    id = str(uuid.uuid4())
    requests = [hello(str(uuid.uuid4())), visit(1, id=id), visit(2, id=id), visit(3)]
    assert list(kiosk.stations.ReportVisits(iter(requests)))[-1].acknowledged_sequence == 3
    assert len(listed_visits(staff, dev.connection["station"])) == before + 2


def test_absurd_times_are_acknowledged_and_set_aside_with_a_reason(dev, kiosk, staff):
    future, past = now(), now()
    future.seconds += 3_600
    past.seconds -= 800 * 3_600
    epoch = str(uuid.uuid4())
    requests = [hello(epoch), visit(1, time=future), visit(2, time=past), visit(3)]
    answers = list(kiosk.stations.ReportVisits(iter(requests)))
    notices = {n.sequence: n.reason for answer in answers for n in answer.notices}
    assert answers[-1].acknowledged_sequence == 3
    assert notices == {
        1: stations.SET_ASIDE_REASON_TIME_IN_FUTURE, 2: stations.SET_ASIDE_REASON_TIME_TOO_OLD}


def test_occupancy_is_watched_live_until_the_watcher_cancels(dev, kiosk, staff):
    watch = staff.stations.WatchOccupancy(
        stations.WatchOccupancyRequest(point=dev.connection["station"]))
    first = next(watch)
    assert (first.point, first.capacity) == (dev.connection["station"], 60)
    spool = Spool()
    spool.add()
    spool.add()
    spool.finish()
    report(kiosk.stations, spool)
    seen = [first.present]
    while seen[-1] < first.present + 2:
        seen.append(next(watch).present)
    assert seen == sorted(seen)
    assert watch.cancel()
    with pytest.raises(grpc.RpcError) as ended:
        next(watch)
    assert ended.value.code() == grpc.StatusCode.CANCELLED


def test_a_partner_follows_its_own_enrollments(partner):
    answer = partner.members.SubmitEnrollment(enrollment(PEOPLE.next())).enrollment
    events = list(partner.members.WatchMemberEvents(
        members.WatchMemberEventsRequest(stop_at_end=True), timeout=60))
    assert {event.WhichOneof("event") for event in events} == {"enrollment_changed"}
    assert answer.name in {event.enrollment_changed.enrollment for event in events}
    cursor = events[-1].cursor
    watch = partner.members.WatchMemberEvents(members.WatchMemberEventsRequest(cursor=cursor))
    later = partner.members.SubmitEnrollment(enrollment(PEOPLE.next())).enrollment
    assert next(watch).enrollment_changed.enrollment == later.name
    watch.cancel()


def test_points_are_found_near_by(dev, partner):
    answer = partner.stations.FindNearbyPoints(stations.FindNearbyPointsRequest(
        center=LatLng(latitude=39.93, longitude=119.6), radius_meters=20_000))
    assert dev.connection["station"] in [found.point.name for found in answer.points]
    distances = [found.distance_meters for found in answer.points]
    assert distances == sorted(distances) and distances[0] < 2_000
    far = partner.stations.FindNearbyPoints(stations.FindNearbyPointsRequest(
        center=LatLng(latitude=31.2, longitude=121.5)))
    assert list(far.points) == []


def test_daily_statistics_equal_the_visits_listed(dev, staff):
    point = dev.connection["station"]
    rows = [row for row in listed_visits(staff, point)
            if row.direction == stations.DIRECTION_ARRIVAL]
    days = staff.stations.GetDailyVisitStatistics(
        stations.GetDailyVisitStatisticsRequest(point=point)).days
    counted = [row for row in rows if row.state != stations.VISIT_STATE_SET_ASIDE]
    assert sum(day.visits for day in days) == len(counted)
    for field, state in (("matched", stations.VISIT_STATE_MATCHED),
                         ("unmatched", stations.VISIT_STATE_UNMATCHED),
                         ("anonymous", stations.VISIT_STATE_ANONYMOUS)):
        assert sum(getattr(day, field) for day in days) == sum(
            row.state == state for row in counted), field


def test_a_scanned_code_leads_to_its_organization(dev, partner, staff):
    organizations = pages(
        staff.members.ListOrganizations, members.ListOrganizationsRequest(page_size=1_000),
        "organizations")
    target = next(row for row in organizations if row.external_id == "q-130306001")
    code = staff.members.IssueOrganizationCode(members.IssueOrganizationCodeRequest(
        request_id=request_id(), organization=target.name, campaign="扫码")).code
    resolved = partner.members.ResolveOrganizationCode(
        members.ResolveOrganizationCodeRequest(text=code.text))
    assert resolved.organization.name == target.name
    person = PEOPLE.next()
    partner.members.SubmitEnrollment(enrollment(person, organization_code=code.text))
    [member] = found(staff, person)
    assert member.organization == target.name
    assert (member.channel, member.campaign) == (members.CHANNEL_QR_SCAN, "扫码")


def test_a_revoked_kiosk_is_refused(dev, staff):
    point = dev.connection["station"]
    made = staff.stations.RegisterKiosk(stations.RegisterKioskRequest(
        request_id=request_id(), point=point, display_name="另一终端"))
    client = Client(
        dev.connection["gateway"], open(dev.connection["ca_file"], "rb").read(),
        [("x-api-key", made.api_key)])
    report_all(client.stations, ["", ""])  # let in at once
    staff.stations.RevokeKiosk(
        stations.RevokeKioskRequest(request_id=request_id(), name=made.kiosk.name))

    def is_refused():
        try:
            report_all(client.stations, [""])
        except grpc.RpcError as error:
            assert error.code() in (
                grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            return True
        return False

    wait_until(is_refused, what="the revocation")
    client.close()


# buf curl


@pytest.fixture(scope="module")
def curl(dev):
    """Calls a method with the credential of a caller."""
    connection = dev.connection
    headers = {
        "partner": f"x-api-key: {connection['partner_api_key']}",
        "kiosk": f"x-api-key: {connection['kiosk_api_key']}",
        "staff": f"authorization: Bearer {connection['staff_token']}",
    }

    def call(who, method, *messages):
        status, answers, problem = buf_curl(
            connection["gateway"], connection["ca_file"], method, messages, [headers[who]])
        assert status == 0, problem
        return answers

    return call


def as_json(message):
    return json.loads(json_format.MessageToJson(message))


def test_buf_curl_enrolls_and_lists(curl, staff):
    person = PEOPLE.next()
    service = "yijia.members.v1.MembersService"
    [answer] = curl("partner", f"{service}/SubmitEnrollment", as_json(enrollment(person)))
    assert answer["enrollment"]["state"] == "ENROLLMENT_STATE_RECEIVED"
    [listed] = curl("staff", f"{service}/ListMembers", {"residentId": person.resident_id})
    assert [m["name"] for m in listed["members"]] == [m.name for m in found(staff, person)]


def test_buf_curl_enrolls_in_bulk(curl):
    records = [
        as_json(members.EnrollMembersRequest(
            request_id=request_id(), row=row, application=application(PEOPLE.next())))
        for row in range(1, 6)]
    answers = curl("partner", "yijia.members.v1.MembersService/EnrollMembers", *records)
    assert [int(answer["row"]) for answer in answers] == [1, 2, 3, 4, 5]
    assert all("enrollment" in answer for answer in answers)


def test_buf_curl_streams_visits(curl, dev, staff):
    requests = [hello(str(uuid.uuid4())), *(visit(sequence) for sequence in range(1, 8))]
    answers = curl(
        "kiosk", "yijia.stations.v1.StationsService/ReportVisits", *map(as_json, requests))
    assert int(answers[-1]["acknowledgedSequence"]) == 7
    names = {row.name for row in listed_visits(staff, dev.connection["station"])}
    sent = {request.visit.visit_id.replace("-", "") for request in requests[1:]}
    assert {f"visits/{id}" for id in sent} <= names


def test_buf_curl_is_told_why_it_is_refused(dev):
    status, _, problem = buf_curl(
        dev.connection["gateway"], dev.connection["ca_file"],
        "yijia.members.v1.MembersService/ListMembers", [{}], ["x-api-key: nobody"])
    told = json.loads(problem)
    assert status != 0 and told["code"] == "unauthenticated" and told["message"]
    assert {detail["type"] for detail in told["details"]} == {
        "google.rpc.ErrorInfo", "google.rpc.LocalizedMessage"}
