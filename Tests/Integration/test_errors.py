"""Each error as the outside sees it: code, reason, domain, what to do in both languages."""

import dataclasses
import subprocess

import grpc
import pytest

import rawcall
from contracts import check_texts, refused
from kiosk import hello, visit
from people import FIRST_BIRTH, People, application, enrollment, request_id, resident_id
from stubs import members, stations

CODE = grpc.StatusCode
PEOPLE = People(series=2)
LANGUAGES = ("zh-CN", "en")
NOBODY = "0" * 32
MEMBERS, STATIONS, GATEWAY = "members.yijia", "stations.yijia", "gateway.yijia"


@dataclasses.dataclass
class Case:
    """A call that must be refused."""

    name: str
    who: str | None
    call: object  # (client, suite) -> (method, request)
    code: grpc.StatusCode
    reason: str
    domain: str


def listing(**fields):
    return lambda client, suite: (client.members.ListMembers, members.ListMembersRequest(**fields))


def submission(client, suite):
    return client.members.SubmitEnrollment, enrollment(PEOPLE.next())


def point_of(name):
    return lambda client, suite: (
        client.stations.GetPoint, stations.GetPointRequest(name=name or suite.point))


def new_point(organization):
    def call(client, suite):
        return client.stations.CreatePoint, stations.CreatePointRequest(
            request_id=request_id(), point=stations.Point(
                display_name="越权驿站", kind=stations.POINT_KIND_STATION, region_code="130302",
                location={"latitude": 39.9, "longitude": 119.6},
                managing_organization=organization or suite.organization("q-130302")))

    return call


def report_of(*requests):
    return lambda client, suite: (client.stations.ReportVisits, iter(requests))


CASES = [
    Case("no key", None, submission, CODE.UNAUTHENTICATED, "CALLER_UNPROVEN", GATEWAY),
    Case("an expired token", "expired", listing(), CODE.UNAUTHENTICATED, "CREDENTIAL_EXPIRED",
         GATEWAY),
    Case("a partner lists members", "partner", listing(), CODE.PERMISSION_DENIED, "CALLER_KIND",
         GATEWAY),
    Case("a kiosk enrolls", "kiosk", submission, CODE.PERMISSION_DENIED, "CALLER_KIND", GATEWAY),
    Case("staff reports visits", "staff", report_of(hello(request_id())), CODE.PERMISSION_DENIED,
         "CALLER_KIND", GATEWAY),
    Case("a method for services only", "staff",
         lambda client, _: (client.members.ResolveMemberCodes,
                            members.ResolveMemberCodesRequest(codes=["A"])),
         CODE.PERMISSION_DENIED, "CALLER_KIND", GATEWAY),
    Case("a feed for the gateway only", "partner",
         lambda client, _: (client.stations.WatchStationEvents,
                            stations.WatchStationEventsRequest()),
         CODE.PERMISSION_DENIED, "CALLER_KIND", GATEWAY),
    Case("a viewer enrolls", "viewer", submission, CODE.PERMISSION_DENIED, "ROLE", GATEWAY),
    Case("a viewer reveals", "viewer",
         lambda client, _: (client.members.RevealMember, members.RevealMemberRequest(
             request_id=request_id(), name=f"members/{NOBODY}", reason="无权查看")),
         CODE.PERMISSION_DENIED, "ROLE", GATEWAY),
    Case("a method that the key is not granted", "limited_partner", submission,
         CODE.PERMISSION_DENIED, "METHOD_NOT_GRANTED", GATEWAY),
    Case("staff list another county", "county",
         lambda client, suite: (client.members.ListMembers, members.ListMembersRequest(
             ancestor=suite.organization("q-130302"))),
         CODE.PERMISSION_DENIED, "OUT_OF_SCOPE", MEMBERS),
    Case("staff found a point of another county", "county", new_point(None),
         CODE.PERMISSION_DENIED, "OUT_OF_SCOPE", STATIONS),
    Case("a member that is not there", "staff",
         lambda client, _: (client.members.GetMember,
                            members.GetMemberRequest(name=f"members/{NOBODY}")),
         CODE.NOT_FOUND, "MEMBER_NOT_FOUND", MEMBERS),
    Case("an organization that is not there", "staff",
         lambda client, _: (client.members.GetOrganization,
                            members.GetOrganizationRequest(name=f"organizations/{NOBODY}")),
         CODE.NOT_FOUND, "ORGANIZATION_NOT_FOUND", MEMBERS),
    Case("an enrollment that is not there", "partner",
         lambda client, _: (client.members.GetEnrollment,
                            members.GetEnrollmentRequest(name=f"enrollments/{NOBODY}")),
         CODE.NOT_FOUND, "ENROLLMENT_NOT_FOUND", MEMBERS),
    Case("a point that is not there", "staff", point_of(f"points/{NOBODY}"), CODE.NOT_FOUND,
         "POINT_NOT_FOUND", STATIONS),
    Case("a point under a union that is not there", "staff", new_point(f"organizations/{NOBODY}"),
         CODE.NOT_FOUND, "ORGANIZATION_NOT_FOUND", STATIONS),
    Case("nobody receives", "partner",
         lambda client, _: (client.members.SubmitEnrollment, enrollment(
             PEOPLE.next(), areas=members.Areas(work="440303"))),
         CODE.FAILED_PRECONDITION, "NO_RECEIVER", MEMBERS),
    Case("a text that is no code", "partner",
         lambda client, _: (client.members.ResolveOrganizationCode,
                            members.ResolveOrganizationCodeRequest(text="NOT A CODE")),
         CODE.INVALID_ARGUMENT, "CODE_MALFORMED", MEMBERS),
    Case("a resource name that is none", "staff", point_of("points/42"), CODE.INVALID_ARGUMENT,
         "INVALID_FIELDS", STATIONS),
    Case("a page size below zero", "staff", listing(page_size=-1), CODE.INVALID_ARGUMENT,
         "INVALID_FIELDS", MEMBERS),
    Case("a page token that is none", "staff", listing(page_token="AAAA"), CODE.INVALID_ARGUMENT,
         "INVALID_PAGE_TOKEN", MEMBERS),
    Case("a cursor that is none", "partner",
         lambda client, _: (client.members.WatchMemberEvents,
                            members.WatchMemberEventsRequest(cursor="x")),
         CODE.INVALID_ARGUMENT, "INVALID_CURSOR", MEMBERS),
    Case("visits without a hello", "kiosk", report_of(visit(1)), CODE.INVALID_ARGUMENT,
         "HELLO_EXPECTED", STATIONS),
    Case("a second hello", "kiosk", report_of(hello(request_id()), hello(request_id())),
         CODE.INVALID_ARGUMENT, "HELLO_EXPECTED", STATIONS),
    Case("a gap in the sequence", "kiosk", report_of(hello(request_id()), visit(2)),
         CODE.INVALID_ARGUMENT, "SEQUENCE_GAP", STATIONS),
    Case("an epoch that is no UUID", "kiosk", report_of(hello("epoch")), CODE.INVALID_ARGUMENT,
         "INVALID_FIELDS", STATIONS),
    Case("a message of 5 MB", "partner",
         lambda client, _: (client.members.SubmitEnrollment, enrollment(
             PEOPLE.next(), employer_name="长" * (5 << 20))),
         CODE.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE", GATEWAY),
    Case("a method that is not there", "partner",
         lambda client, _: (client.intercepted.unary_unary(
             "/yijia.members.v1.MembersService/DropMembers"), b""),
         CODE.UNIMPLEMENTED, "METHOD_UNKNOWN", GATEWAY),
    Case("a service that is not there", "partner",
         lambda client, _: (client.intercepted.unary_unary("/no.such.v1.Service/Call"), b""),
         CODE.UNIMPLEMENTED, "METHOD_UNKNOWN", GATEWAY),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_refusal_says_what_and_why(suite, case, language):
    client = suite.client(case.who, language)
    told = refused(*case.call(client, suite))
    assert (told.code, told.reason, told.domain) == (case.code, case.reason, case.domain)
    check_texts(told, language)


@pytest.mark.parametrize("who", ["x-api-key: yjp_wrong", "x-api-key: yk_wrong", "bearer"])
def test_a_wrong_key_proves_nobody(suite, who):
    name, _, key = who.partition(": ")
    metadata = [("authorization", "Bearer yjs_wrong")] if name == "bearer" else [(name, key)]
    told = refused(suite.client(None, extra=metadata).members.ListMembers,
                   members.ListMembersRequest())
    assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")


def test_two_credentials_are_ambiguous(suite):
    client = suite.client("partner", extra=suite.metadata("staff"))
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CREDENTIALS_AMBIGUOUS")
    check_texts(told, "zh-CN")


# Wrong fields


@pytest.mark.parametrize("language", [None, "fr", *LANGUAGES, "en-GB,en;q=0.9"])
def test_every_wrong_field_is_told_at_once(suite, language):
    request = members.SubmitEnrollmentRequest(
        request_id="not-a-uuid", application=members.EnrollmentApplication(
            person_name="J0hn", resident_id="11010519491231002Y", phone="12345",
            group=99, areas=members.Areas(work="139999", residence="1303"),
            employer_credit_code="91350100M000100Y44", campaign="长" * 65))
    told = refused(suite.client("partner", language).members.SubmitEnrollment, request)
    assert (told.code, told.reason) == (CODE.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert told.violations == {
        "request_id": "INVALID_UUID", "application.person_name": "INVALID_NAME",
        "application.resident_id": "INVALID_ID", "application.phone": "INVALID_PHONE",
        "application.group": "INVALID_VALUE", "application.consent": "REQUIRED",
        "application.areas.work": "UNKNOWN_REGION",
        "application.areas.residence": "UNKNOWN_REGION",
        "application.employer_credit_code": "INVALID_CREDIT_CODE",
        "application.campaign": "TOO_LONG"}
    # Chinese where nothing else is asked for, or what is asked for is not there.
    check_texts(told, "en" if (language or "").startswith("en") else "zh-CN")


@pytest.mark.parametrize("changes, reason", [
    ({"resident_id": "110105491231002"}, "ID_OBSOLETE"),
    ({"resident_id": "990105196201010017"}, "INVALID_ID"),
    ({"resident_id": "11010519491231002Ⅹ"}, "INVALID_ID"),
    ({"resident_id": resident_id("130105", FIRST_BIRTH.replace(year=2021), 17)}, "UNDER_AGE"),
    ({"resident_id": resident_id("130105", FIRST_BIRTH.replace(year=2031), 17)}, "INVALID_ID"),
    ({"resident_id": resident_id("130105", FIRST_BIRTH.replace(year=1890), 17)}, "INVALID_ID"),
    ({"phone": "13800138000\n1"}, "INVALID_PHONE"),
    ({"phone": ""}, "REQUIRED"),
    ({"person_name": "张"}, "INVALID_NAME"),
    ({"person_name": "张\u0000三"}, "INVALID_NAME"),
    ({"person_name": "张" * 51}, "INVALID_NAME"),
    ({"person_name": ""}, "REQUIRED"),
], ids=str)
def test_one_wrong_field_has_its_reason(suite, changes, reason):
    [field] = changes
    told = refused(suite.client("partner").members.SubmitEnrollment,
                   enrollment(PEOPLE.next(), **changes))
    assert told.violations == {f"application.{field}": reason}


def test_the_check_digit_is_the_one_of_python_stdnum():
    from stdnum.cn import ric

    for _ in range(1_000):
        person = PEOPLE.next()
        assert person.resident_id[-1] == ric.calc_check_digit(person.resident_id)


def test_a_credit_code_that_is_valid_is_no_violation(suite):
    answer = suite.client("partner").members.SubmitEnrollment(
        enrollment(PEOPLE.next(), employer_credit_code="91350100m000100y43"))
    assert answer.enrollment.name


# Replays


def test_a_replay_gets_the_first_reply_again(suite):
    partner, request = suite.client("partner"), enrollment(PEOPLE.next())
    first = partner.members.SubmitEnrollment(request)
    for client in (partner, suite.client("partner")):
        assert client.members.SubmitEnrollment(request) == first


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_id_with_another_payload_is_refused(suite, language):
    partner, person, id = suite.client("partner", language), PEOPLE.next(), request_id()
    first = partner.members.SubmitEnrollment(enrollment(person, id))
    told = refused(partner.members.SubmitEnrollment, enrollment(person, id, platform="别的平台"))
    assert (told.code, told.reason, told.domain) == (
        CODE.ALREADY_EXISTS, "REQUEST_ID_REUSED", MEMBERS)
    check_texts(told, language)
    assert partner.members.SubmitEnrollment(enrollment(person, id)) == first


def test_a_request_id_is_scoped_to_its_caller(suite):
    id = request_id()
    one = suite.client("partner").members.SubmitEnrollment(enrollment(PEOPLE.next(), id))
    other = suite.client("other_partner").members.SubmitEnrollment(enrollment(PEOPLE.next(), id))
    assert one.enrollment.name != other.enrollment.name


def test_a_refusal_is_not_remembered(suite):
    partner, person, id = suite.client("partner"), PEOPLE.next(), request_id()
    refused(partner.members.SubmitEnrollment, enrollment(person, id, phone="1"))
    assert partner.members.SubmitEnrollment(enrollment(person, id)).enrollment.name


def test_a_replay_on_the_bulk_stream_is_refused_in_its_record_only(suite):
    partner, person, id = suite.client("partner"), PEOPLE.next(), request_id()

    def record(row, id, person, **changes):
        return members.EnrollMembersRequest(
            request_id=id, row=row, application=application(person, **changes))

    answers = list(partner.members.EnrollMembers(iter([
        record(1, id, person), record(2, id, person), record(3, id, person, platform="别的"),
        record(4, request_id(), PEOPLE.next())])))
    assert [answer.WhichOneof("result") for answer in answers] == [
        "enrollment", "enrollment", "error", "enrollment"]
    assert answers[0].enrollment == answers[1].enrollment
    assert answers[2].error.reason == "REQUEST_ID_REUSED"
    assert answers[2].error.code == CODE.ALREADY_EXISTS.value[0]


def test_another_partner_cannot_read_an_enrollment(suite):
    name = suite.client("partner").members.SubmitEnrollment(
        enrollment(PEOPLE.next())).enrollment.name
    told = refused(suite.client("other_partner").members.GetEnrollment,
                   members.GetEnrollmentRequest(name=name))
    assert (told.code, told.reason) == (CODE.NOT_FOUND, "ENROLLMENT_NOT_FOUND")


# Deadlines and headers that no client library sends


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("timeout", ["1n", "300m"])
def test_an_expired_deadline_is_told_by_the_server(suite, language, timeout):
    request = stations.WatchOccupancyRequest(point=suite.point).SerializeToString()
    answer = rawcall.call(
        suite.gateway, suite.folder / "tls/authority.crt",
        "/yijia.stations.v1.StationsService/WatchOccupancy",
        [*suite.metadata("staff"), ("grpc-timeout", timeout), ("accept-language", language)],
        request)
    told = rawcall.told(answer)
    # The gateway's deadline passes at the edge, the service's a little before: either may tell.
    assert (told.code, told.reason) == (CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert told.domain in (GATEWAY, STATIONS)
    check_texts(told, language)


def test_a_client_with_a_deadline_gets_deadline_exceeded(suite):
    watch = suite.client("staff").stations.WatchOccupancy
    told = refused(watch, stations.WatchOccupancyRequest(point=suite.point), timeout=0.3)
    assert told.code == CODE.DEADLINE_EXCEEDED


def test_a_malformed_timeout_is_refused(suite):
    answer = rawcall.call(
        suite.gateway, suite.folder / "tls/authority.crt",
        "/yijia.members.v1.MembersService/ListMembers",
        [*suite.metadata("staff"), ("grpc-timeout", "soon")])
    told = rawcall.told(answer)
    assert (told.code, told.reason) == (CODE.INTERNAL, "TIMEOUT_MALFORMED")


def test_bytes_that_are_no_message_are_no_crash(suite):
    client = suite.client("partner")
    method = client.intercepted.unary_unary("/yijia.members.v1.MembersService/SubmitEnrollment")
    for bytes in (b"\xff" * 9, b"\x12\x7f", b"\x0a\x02\xc3\x28", b"\x0b" * 500):
        told = refused(method, bytes)
        assert told.code == CODE.INTERNAL, bytes
    assert client.members.SubmitEnrollment(enrollment(PEOPLE.next())).enrollment.name


# Page tokens


def page_token(suite, who="staff"):
    client = suite.client(who)
    for _ in range(3):
        suite.client("partner").members.SubmitEnrollment(enrollment(PEOPLE.next()))
    token = client.members.ListMembers(members.ListMembersRequest(page_size=1)).next_page_token
    assert token
    return token


def flipped(token):
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]


@pytest.mark.parametrize("tampered", [
    flipped, lambda token: token[:-4], lambda token: token + "AAAA", lambda token: "!" + token])
def test_a_changed_page_token_is_refused(suite, tampered):
    token = page_token(suite)
    told = refused(suite.client("staff").members.ListMembers,
                   members.ListMembersRequest(page_size=1, page_token=tampered(token)))
    assert (told.code, told.reason) == (CODE.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


@pytest.mark.parametrize("who, fields", [
    ("staff", {"groups": [members.OCCUPATION_GROUP_OTHER]}), ("viewer", {}), ("county", {})])
def test_a_page_token_is_of_its_list_and_caller(suite, who, fields):
    token = page_token(suite)
    told = refused(suite.client(who).members.ListMembers,
                   members.ListMembersRequest(page_size=1, page_token=token, **fields))
    assert (told.code, told.reason) in [
        (CODE.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"), (CODE.PERMISSION_DENIED, "OUT_OF_SCOPE")]


# Services that are not there


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("service", ["members", "stations"])
def test_a_service_that_is_not_there_is_unavailable_with_a_hint_to_retry(
        suite, service, language):
    suite.stop(service)
    try:
        client = suite.client("staff", language)
        call = (client.members.ListMembers, members.ListMembersRequest()) if (
            service == "members") else (
            client.stations.GetPoint, stations.GetPointRequest(name=suite.point))
        told = refused(*call)
    finally:
        suite.start(service)
    assert (told.code, told.reason, told.domain) == (
        CODE.UNAVAILABLE, "BACKEND_UNAVAILABLE", GATEWAY)
    assert told.metadata == {"service": service}
    assert told.retry_seconds and told.retry_seconds > 0
    check_texts(told, language)


def test_a_configuration_that_is_wrong_is_refused_with_the_fields_name(suite, binaries, folder):
    wrong = folder / "wrong.yaml"
    wrong.write_text(suite.gateway_file.read_text() + "listem: {port: 1}\n")
    done = subprocess.run(
        [binaries / "yijia-gateway", "--config", wrong, "--check"], capture_output=True, text=True,
        timeout=30)
    assert done.returncode != 0 and "listem" in done.stdout + done.stderr
