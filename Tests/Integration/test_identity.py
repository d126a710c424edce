"""Who is who: what proves a caller, what does not, and how far each may reach."""

import grpc
import pytest

from clients import Client, pages
from contracts import check_texts, refused
from kiosk import report_all
from people import People, enrollment, request_id
from stubs import callers, members, stations
from suite import COUNTY, Suite

CODE = grpc.StatusCode
PEOPLE = People(series=7)
LANGUAGES = ("zh-CN", "en")
NOBODY = "0" * 32
MEMBERS, GATEWAY = "members.yijia", "gateway.yijia"


def forged(kind, subject, **claims):
    """A caller token with everything but the gateway's signature."""
    token = callers.CallerToken(kind=kind, subject=subject, audience="members", **claims)
    token.expire_time.GetCurrentTime()
    token.expire_time.seconds += 50
    signed = callers.SignedCallerToken(
        token=token.SerializeToString(), signature=b"\x07" * 64, key_id="gateway-1")
    return [("yijia-caller-bin", signed.SerializeToString())]


ADMINISTRATOR = forged(
    callers.CALLER_KIND_STAFF, f"staff/{NOBODY}", staff_role=callers.STAFF_ROLE_ADMINISTRATOR)


@pytest.mark.parametrize("who, code, reason", [
    (None, CODE.UNAUTHENTICATED, "CALLER_UNPROVEN"),
    ("partner", CODE.PERMISSION_DENIED, "CALLER_KIND")])
def test_a_forged_caller_from_outside_changes_nothing(suite, who, code, reason):
    client = suite.client(who, extra=ADMINISTRATOR)
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert (told.code, told.reason, told.domain) == (code, reason, GATEWAY)


def test_an_outside_caller_with_a_forged_caller_beside_its_key_is_still_itself(suite):
    client = suite.client("partner", extra=ADMINISTRATOR)
    name = client.members.SubmitEnrollment(enrollment(PEOPLE.next())).enrollment.name
    assert suite.client("partner").members.GetEnrollment(
        members.GetEnrollmentRequest(name=name)).enrollment.member == ""


def test_a_forged_caller_over_another_workloads_link_is_that_workload(suite):
    client = suite.inner_client("members", "stations", ADMINISTRATOR)
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert (told.code, told.reason, told.domain) == (
        CODE.PERMISSION_DENIED, "CALLER_KIND", MEMBERS)
    check_texts(told, "zh-CN")


def test_a_token_without_the_gateways_signature_proves_nobody_even_over_its_link(suite):
    client = suite.inner_client("members", "gateway", ADMINISTRATOR)
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert (told.code, told.reason, told.domain) == (
        CODE.UNAUTHENTICATED, "CALLER_UNPROVEN", MEMBERS)


@pytest.mark.parametrize("service", ["members", "stations"])
def test_a_service_speaks_to_no_one_without_a_workload_certificate(suite, service):
    client = suite.inner_client(service, None, ADMINISTRATOR)
    told = refused(client.members.ListMembers, members.ListMembersRequest(), timeout=5)
    assert told.code == CODE.UNAVAILABLE and not told.reason


def test_a_workload_of_another_authority_is_no_workload(suite, folder, binaries):
    other = _other_suite(folder, binaries)
    client = Client(f"127.0.0.1:{suite.ports.listen['members']}", suite.authority,
                    identity=other.identity("gateway"))
    told = refused(client.members.ListMembers, members.ListMembersRequest(), timeout=5)
    assert told.code == CODE.UNAVAILABLE
    client.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caller_token_of_another_key_proves_nobody(suite, folder, binaries, language):
    """A gateway with the right certificate and a signing key that the services do not know."""
    other = _other_suite(folder, binaries)
    false_gateway = Suite(folder / "false", binaries)
    false_gateway.prepare()
    text = suite.gateway_file.read_text()
    for kind in ("listen", "admin", "operations"):
        text = text.replace(
            f"port: {getattr(suite.ports, kind)['gateway']}}}",
            f"port: {getattr(false_gateway.ports, kind)['gateway']}}}")
    text = text.replace(
        str(suite.folder / "keys/caller-token.key"), str(other.folder / "keys/caller-token.key"))
    text = text.replace(f"{suite.folder}/data/gateway", f"{false_gateway.folder}/data/gateway")
    false_gateway.gateway_file.write_text(text)
    try:
        false_gateway.start("gateway")
        client = suite.client("staff", language)
        assert client.members.ListMembers(members.ListMembersRequest()) is not None
        stranger = Client(false_gateway.gateway, suite.authority, client.metadata)
        told = refused(stranger.members.ListMembers, members.ListMembersRequest())
        stranger.close()
    finally:
        false_gateway.close()
    assert (told.code, told.reason, told.domain) == (
        CODE.UNAUTHENTICATED, "CALLER_UNPROVEN", MEMBERS)
    check_texts(told, language)


def _other_suite(folder, binaries):
    other = Suite(folder / "other", binaries)
    if not (other.folder / "keys").exists():
        other.prepare()
    return other


# How far each may reach


def test_staff_of_a_county_see_their_county_only(suite):
    partner, county = suite.client("partner"), suite.client("county")
    inside, outside = PEOPLE.next(), PEOPLE.next()
    partner.members.SubmitEnrollment(enrollment(inside))
    partner.members.SubmitEnrollment(enrollment(outside, areas=members.Areas(work="130306001")))
    assert len(suite.members_of(county, inside.resident_id)) == 1
    assert suite.members_of(county, outside.resident_id) == []
    [member] = suite.members_of(suite.client("staff"), outside.resident_id)
    told = refused(county.members.GetMember, members.GetMemberRequest(name=member.name))
    assert (told.code, told.reason) == (CODE.NOT_FOUND, "MEMBER_NOT_FOUND")
    told = refused(county.members.RevealMember, members.RevealMemberRequest(
        request_id=request_id(), name=member.name, reason="越权查看"))
    assert told.reason == "MEMBER_NOT_FOUND"
    organizations = pages(county.members.ListOrganizations,
                          members.ListOrganizationsRequest(page_size=1_000), "organizations")
    assert {row.region_code[:6] for row in organizations} == {"130303"}
    assert any(row.external_id == COUNTY for row in organizations)


def test_staff_of_a_county_see_no_point_of_the_city(suite):
    county = suite.client("county").stations
    for call, request in (
            (county.GetPoint, stations.GetPointRequest(name=suite.point)),
            (county.ListVisits, stations.ListVisitsRequest(point=suite.point)),
            (county.WatchOccupancy, stations.WatchOccupancyRequest(point=suite.point))):
        told = refused(call, request)
        assert (told.code, told.reason) in [
            (CODE.NOT_FOUND, "POINT_NOT_FOUND"), (CODE.PERMISSION_DENIED, "OUT_OF_SCOPE")], call


def test_partners_follow_their_own_enrollments_only(suite):
    names = {}
    for who in ("partner", "other_partner"):
        client = suite.client(who)
        client.members.SubmitEnrollment(enrollment(PEOPLE.next()))
        names[who] = {event.entity for event in client.members.WatchMemberEvents(
            members.WatchMemberEventsRequest(stop_at_end=True))}
    assert names["partner"] and names["other_partner"]
    assert not names["partner"] & names["other_partner"]


def test_a_kiosk_reaches_its_own_point_only(suite):
    point, kiosk, key = suite.make_point("第二驿站")
    assert point != suite.point and kiosk != suite.kiosk
    told = refused(suite.kiosk_client(key).stations.WatchOccupancy,
                   stations.WatchOccupancyRequest(point=suite.point))
    assert (told.code, told.reason) in [
        (CODE.NOT_FOUND, "POINT_NOT_FOUND"), (CODE.PERMISSION_DENIED, "OUT_OF_SCOPE")]
    spool, _ = report_all(suite.kiosk_client(key).stations, [""] * 3)
    staff = suite.client("staff").stations
    for of, count in ((point, 3), (suite.point, 0)):
        rows = pages(
            staff.ListVisits, stations.ListVisitsRequest(point=of, page_size=1_000), "visits")
        assert sum(row.spool_epoch == spool.epoch for row in rows) == count
