"""Partners, keys and staff accounts of a running gateway, by RPC and by the command line."""

import pathlib
import re
import signal
import subprocess

import grpc
import pytest

from clients import Client
from console_page import authenticator_code
from contracts import refusal, refused
from people import People, enrollment, now, request_id
from processes import wait_until
from stubs import Timestamp, accounts, callers, members
from suite import Suite
from test_limits import Enrolling

CODE = grpc.StatusCode
PEOPLE = People(series=17)
# Of a credential whose end a test waits for, in seconds.
LIFETIME = 3


@pytest.fixture(scope="module")
def staff(suite):
    return accounts.AccountsServiceStub(suite.client("staff").intercepted)


@pytest.fixture
def partner(staff):
    return staff.CreatePartner(accounts.CreatePartnerRequest(
        request_id=request_id(), partner=accounts.Partner(display_name="货运平台"))).partner


def new_key(staff, partner, **fields):
    return staff.CreatePartnerKey(accounts.CreatePartnerKeyRequest(
        request_id=request_id(), partner=partner.name, key=accounts.PartnerKey(**fields)))


def with_key(suite, secret):
    return Client(suite.gateway, suite.authority, [("x-api-key", secret)])


def lists(client):
    """Whether the gateway lets a partner's call through."""
    return client.members.ListEnrollments(members.ListEnrollmentsRequest()) is not None


def test_a_revoked_key_is_refused_and_its_running_stream_ends(suite, staff, partner):
    made = new_key(staff, partner)
    client = with_key(suite, made.secret)
    assert lists(client)
    events = client.members.WatchMemberEvents(members.WatchMemberEventsRequest(), timeout=60)
    # The stream runs when its call is in the service: a partner without members hears nothing.
    assert not events.done()
    staff.RevokePartnerKey(accounts.RevokePartnerKeyRequest(
        request_id=request_id(), name=made.key.name, reason="test"))
    told = refused(client.members.ListEnrollments, members.ListEnrollmentsRequest())
    assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")
    wait_until(events.done, 5, "the end of the stream")
    assert events.code() == CODE.UNAUTHENTICATED
    client.close()


def in_seconds(seconds):
    time = Timestamp()
    time.FromMicroseconds(now().ToMicroseconds() + seconds * 1_000_000)
    return time


def test_keys_end_at_their_time_and_a_replaced_one_with_its_overlap(suite, staff, partner):
    ending = new_key(staff, partner, expire_time=in_seconds(LIFETIME))
    replaced = new_key(staff, partner)
    overlap = accounts.RotatePartnerKeyRequest(request_id=request_id(), name=replaced.key.name)
    overlap.overlap.FromSeconds(LIFETIME)
    rotated = staff.RotatePartnerKey(overlap)
    assert not rotated.key.HasField("expire_time"), "the new one lives as the old one was to"
    assert rotated.replaced_key.expire_time.seconds <= in_seconds(LIFETIME).seconds
    old, new = [with_key(suite, made.secret) for made in (ending, replaced)], with_key(
        suite, rotated.secret)
    assert all(lists(client) for client in [*old, new]), "both at a time"
    streams = [Enrolling(client) for client in [*old, new]]
    for stream in streams[:2]:
        told = refused(lambda: stream.call)
        assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")
    assert now().ToMicroseconds() >= ending.key.expire_time.ToMicroseconds()
    for client in old:
        told = refused(client.members.ListEnrollments, members.ListEnrollmentsRequest())
        assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CREDENTIAL_EXPIRED")
    assert lists(new)
    streams[2].finish()
    told = refused(staff.RotatePartnerKey, accounts.RotatePartnerKeyRequest(
        request_id=request_id(), name=ending.key.name))
    assert (told.code, told.reason) == (CODE.FAILED_PRECONDITION, "KEY_ENDED")
    for client in [*old, new]:
        client.close()


def test_a_key_is_good_for_its_own_methods_among_those_of_its_partner(suite, staff, partner):
    methods = [f"/yijia.members.v1.MembersService/{name}" for name in (
        "ListEnrollments", "GetEnrollment", "SubmitEnrollment")]
    narrow = with_key(suite, new_key(staff, partner, methods=methods[:2]).secret)
    wide = with_key(suite, new_key(staff, partner).secret)

    def check(client, *granted):
        for method, call, request in (
            (methods[0], client.members.ListEnrollments, members.ListEnrollmentsRequest()),
            (methods[2], client.members.SubmitEnrollment, enrollment(PEOPLE.next())),
        ):
            if method in granted:
                assert call(request) is not None
            else:
                told = refused(call, request)
                assert (told.code, told.reason, told.domain) == (
                    CODE.PERMISSION_DENIED, "METHOD_NOT_GRANTED", "gateway.yijia")

    check(narrow, methods[0])
    check(wide, *methods)
    # What the partner may not do, none of its keys may.
    change = accounts.UpdatePartnerRequest(
        request_id=request_id(), partner=staff.GetPartner(
            accounts.GetPartnerRequest(name=partner.name)).partner)
    change.partner.methods[:] = methods[1:]
    change.update_mask.paths.append("methods")
    staff.UpdatePartner(change)
    check(narrow)
    check(wide, methods[2])
    # A successor may no more than the key that it replaces.
    key = staff.ListPartnerKeys(accounts.ListPartnerKeysRequest(partner=partner.name)).keys
    name = next(one.name for one in key if one.methods)
    rotated = staff.RotatePartnerKey(accounts.RotatePartnerKeyRequest(
        request_id=request_id(), name=name))
    assert sorted(rotated.key.methods) == sorted(methods[:2])
    successor = with_key(suite, rotated.secret)
    check(successor)
    for client in (narrow, wide, successor):
        client.close()


def test_a_key_outlives_the_gateway_that_was_killed_right_after_it_was_made(suite, staff, partner):
    for _ in range(3):
        request = accounts.CreatePartnerKeyRequest(
            request_id=request_id(), partner=partner.name)
        secret = staff.CreatePartnerKey(request).secret
        suite.kill("gateway")
        suite.start("gateway")
        client = with_key(suite, secret)
        assert lists(client)
        client.close()
        again = staff.CreatePartnerKey(request, wait_for_ready=True)
        assert again.secret == secret, "a retry of what was acknowledged shows the same key"


def test_a_key_that_was_never_acknowledged_is_made_once_by_the_retry(suite, staff, partner):
    request = accounts.CreatePartnerKeyRequest(request_id=request_id(), partner=partner.name)
    call = staff.CreatePartnerKey.future(request)
    suite.children["gateway"].send(signal.SIGKILL)
    suite.children["gateway"].wait(10)
    call.cancel()
    suite.start("gateway")
    secret = staff.CreatePartnerKey(request, wait_for_ready=True).secret
    client = with_key(suite, secret)
    assert lists(client)
    client.close()
    keys = staff.ListPartnerKeys(accounts.ListPartnerKeysRequest(partner=partner.name)).keys
    assert len(keys) == 1


def yijia(suite, binaries, *arguments, status=0):
    done = subprocess.run(
        [binaries / "yijia", *arguments, "--connection", suite.folder / "connection.json"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + (done.stderr if status else "")


def test_the_command_line_leads_from_nothing_to_a_partner_that_calls(suite, binaries):
    made = yijia(suite, binaries, "partners", "create", "--display-name", "命令行平台")
    name = made.split()[0]
    assert name in yijia(suite, binaries, "partners", "list")
    yijia(suite, binaries, "partners", "update", name, "--display-name", "改名的平台",
          "--method", "/yijia.members.v1.MembersService/ListEnrollments")
    shown = yijia(suite, binaries, "partners", "get", name)
    assert "改名的平台" in shown and "MembersService/ListEnrollments" in shown
    assert "methods" not in yijia(suite, binaries, "partners", "update", name, "--all-methods")
    key, secret = yijia(suite, binaries, "partners", "keys", "create", name).splitlines()
    client = with_key(suite, secret)
    assert lists(client)
    rotated = yijia(
        suite, binaries, "partners", "keys", "rotate", key.split()[0], "--overlap-hours", "1")
    new = rotated.splitlines()[-1]
    other = with_key(suite, new)
    assert lists(client) and lists(other)
    assert len(yijia(suite, binaries, "partners", "keys", "list", name).splitlines()) == 2
    yijia(suite, binaries, "partners", "disable", name, "--reason", "test")
    for partner in (client, other):
        assert refused(
            partner.members.ListEnrollments, members.ListEnrollmentsRequest()
        ).code == CODE.UNAUTHENTICATED
    yijia(suite, binaries, "partners", "enable", name, "--reason", "test")
    assert lists(other)
    yijia(suite, binaries, "partners", "keys", "revoke", key.split()[0], "--reason", "test")
    assert refused(
        client.members.ListEnrollments, members.ListEnrollmentsRequest()
    ).code == CODE.UNAUTHENTICATED
    wrong = yijia(suite, binaries, "partners", "keys", "create", "partners/1", status=1)
    assert "INVALID_FIELDS" in wrong
    client.close()
    other.close()


def test_staff_sign_in_with_a_password_of_their_own(suite, binaries):
    made = yijia(
        suite, binaries, "staff", "create", "zhang.san", "--display-name", "张三", "--role",
        "ADMINISTRATOR")
    name, password = made.split()[0], made.splitlines()[-1]
    nobody = Client(suite.gateway, suite.authority)
    sessions = accounts.SessionsServiceStub(nobody.intercepted)
    session = sessions.SignIn(accounts.SignInRequest(user_name="zhang.san", password=password))
    assert session.password_temporary
    client = Client(
        suite.gateway, suite.authority, [("authorization", f"Bearer {session.token}")])
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert told.reason == "PASSWORD_TEMPORARY"
    accounts.SessionsServiceStub(client.intercepted).ChangePassword(
        accounts.ChangePasswordRequest(password=password, new_password="a password of my own"))
    assert client.members.ListMembers(members.ListMembersRequest()) is not None
    signs_in_with_a_code_and_out_again(suite, client)
    suite.kill("gateway")
    suite.start("gateway")
    wait_until(lambda: client.members.ListMembers(
        members.ListMembersRequest(), wait_for_ready=True) is not None)
    assert len(yijia(suite, binaries, "staff", "sessions", "list", name).splitlines()) == 1
    yijia(suite, binaries, "staff", "sessions", "end", name, "--reason", "test")
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert told.code == CODE.UNAUTHENTICATED
    changed = yijia(suite, binaries, "staff", "update", name, "--role", "VIEWER",
                    "--organization", "qinhuangdao", "--reason", "test")
    assert "VIEWER" in changed and "organizations/" in changed
    assert yijia(suite, binaries, "staff", "sessions", "list", name) == ""
    yijia(suite, binaries, "staff", "disable", name, "--reason", "test")
    told = refused(client.members.ListMembers, members.ListMembersRequest())
    assert told.code == CODE.UNAUTHENTICATED
    told = refused(sessions.SignIn, accounts.SignInRequest(
        user_name="zhang.san", password="a password of my own"))
    assert told.reason == "SIGN_IN_REFUSED"
    for one in (nobody, client):
        one.close()


def signs_in_with_a_code_and_out_again(suite, client):
    """A user who takes an authenticator: each of its codes is good once, at the same time too."""
    sessions = accounts.SessionsServiceStub(client.intercepted)
    secret = sessions.EnrollTotp(
        accounts.EnrollTotpRequest(password="a password of my own")).secret
    sessions.ConfirmTotp(accounts.ConfirmTotpRequest(totp_code=authenticator_code(secret)))
    sign_in = accounts.SignInRequest(
        user_name="zhang.san", password="a password of my own",
        totp_code=authenticator_code(secret, steps=1))
    outcomes = [sessions.SignIn.future(sign_in) for _ in range(2)]
    for outcome in outcomes:
        outcome.exception()
    first, again = sorted(outcomes, key=lambda outcome: outcome.code() != CODE.OK)
    told = refusal(again)
    assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "SIGN_IN_REFUSED")
    signed_in = Client(suite.gateway, suite.authority, [
        ("authorization", f"Bearer {first.result().token}")])
    stream = Enrolling(signed_in)
    accounts.SessionsServiceStub(signed_in.intercepted).SignOut(accounts.SignOutRequest())
    for told in (refused(lambda: stream.call),
                 refused(signed_in.members.ListMembers, members.ListMembersRequest())):
        assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")
    signed_in.close()


def test_five_wrong_passwords_delay_the_right_one(suite, staff):
    made = staff.CreateStaff(accounts.CreateStaffRequest(
        request_id=request_id(), staff=accounts.StaffAccount(
            user_name="li.si", display_name="李四", role=callers.STAFF_ROLE_ADMINISTRATOR)))
    nobody = Client(suite.gateway, suite.authority)
    sessions = accounts.SessionsServiceStub(nobody.intercepted)
    right = accounts.SignInRequest(user_name="li.si", password=made.temporary_password)
    # Guesses count before they are checked: of six at once one is too many, and is told at once.
    guesses = [sessions.SignIn.future(accounts.SignInRequest(
        user_name="li.si", password=f"wrong {number}")) for number in range(6)]
    early = wait_until(lambda: next((one for one in guesses if one.done()), None), what="a delay")
    for told in (refusal(early), refused(sessions.SignIn, right)):
        assert (told.code, told.reason) == (CODE.RESOURCE_EXHAUSTED, "SIGN_IN_DELAYED")
        assert 0 < told.retry_seconds <= 1
    # What was counted outlives the gateway, and so does the end of the delay.
    suite.kill("gateway")
    suite.start("gateway")
    signed_in = wait_until(lambda: gets_in(sessions, right), what="the end of the delay")
    assert signed_in.password_temporary
    nobody.close()


def gets_in(sessions, request):
    try:
        return sessions.SignIn(request, wait_for_ready=True)
    except grpc.RpcError as error:
        assert refusal(error).reason == "SIGN_IN_DELAYED", error
        return None


def test_a_member_signs_in_with_a_code_to_their_phone_and_reads_their_own_membership(suite):
    person, stranger = PEOPLE.next(), PEOPLE.next()
    suite.client("partner").members.SubmitEnrollment(enrollment(person))
    nobody = Client(suite.gateway, suite.authority)
    sessions = accounts.SessionsServiceStub(nobody.intercepted)

    def code(phone):
        log = suite.children["gateway"].output
        found = re.findall(rf"code=(\d{{6}}) phone=\*{phone[-4:]}", log)
        return found[-1] if found else None

    answers = [sessions.RequestMemberCode(accounts.RequestMemberCodeRequest(phone=phone))
               for phone in (stranger.phone, person.phone)]
    assert answers[0] == answers[1]
    sent = wait_until(lambda: code(person.phone), what="the code")
    applying = wait_until(lambda: code(stranger.phone), what="the code of who is no member")
    signed_in = sessions.SignInMember(
        accounts.SignInMemberRequest(phone=person.phone, code=sent))
    member = Client(
        suite.gateway, suite.authority, [("authorization", f"Bearer {signed_in.token}")])
    own = member.members.GetMyMembership(members.GetMyMembershipRequest()).member
    assert own.name == signed_in.session.subject
    told = refused(member.members.ListMembers, members.ListMembersRequest())
    assert told.reason == "CALLER_KIND"
    told = refused(sessions.SignInMember, accounts.SignInMemberRequest(
        phone=person.phone, code=sent))
    assert told.reason == "SIGN_IN_REFUSED", "a code is good once"
    told = refused(suite.client("staff").members.FindPhoneMembers,
                   members.FindPhoneMembersRequest(phone=person.phone))
    assert told.reason == "CALLER_KIND", "only the gateway itself looks phones up"
    joins_with_a_code(suite, stranger, sessions.SignInMember(
        accounts.SignInMemberRequest(phone=stranger.phone, code=applying)).token)
    for one in (nobody, member):
        one.close()


def joins_with_a_code(suite, person, token):
    """Whoever proved a phone applies with it, by the code that they scanned."""
    staff = suite.client("staff").members
    worker = Client(suite.gateway, suite.authority, [("authorization", f"Bearer {token}")])
    told = refused(worker.members.GetMyMembership, members.GetMyMembershipRequest())
    assert told.reason == "MEMBER_NOT_FOUND"
    union = next(one for one in staff.ListOrganizations(
        members.ListOrganizationsRequest(page_size=1000)).organizations
        if one.kind == members.ORGANIZATION_KIND_TOWNSHIP_UNION)
    issued = staff.IssueOrganizationCode(members.IssueOrganizationCodeRequest(
        request_id=request_id(), organization=union.name)).code
    offered = worker.members.ResolveOrganizationCode(
        members.ResolveOrganizationCodeRequest(text=issued.text)).actions
    assert members.CODE_ACTION_JOIN in offered
    sent = worker.members.SubmitEnrollment(
        enrollment(person, organization_code=issued.text)).enrollment
    assert sent.state == members.ENROLLMENT_STATE_RECEIVED and not sent.member
    assert worker.members.GetEnrollment(
        members.GetEnrollmentRequest(name=sent.name)).enrollment == sent
    found = staff.GetEnrollment(members.GetEnrollmentRequest(name=sent.name)).enrollment
    assert found.organization == union.name and found.member
    assert found.phone_masked == f"{person.phone[:3]}****{person.phone[-4:]}"
    worker.close()


def test_no_secret_is_in_the_gateways_files(suite, staff, partner):
    made = new_key(staff, partner)
    text = made.secret.encode()
    files = [*pathlib.Path(suite.folder / "data").glob("gateway*"),
             *pathlib.Path(suite.folder / "logs").glob("*")]
    assert files
    for file in files:
        assert text not in file.read_bytes(), file


def test_a_store_is_guarded_by_keyrings_that_must_be_there(suite, binaries, folder):
    other = Suite(folder / "unguarded", binaries)
    other.prepare()
    (other.folder / "keys/gateway-fields.keyring").unlink()
    other.start("gateway", wait=False)
    assert other.children["gateway"].wait(20) != 0
    assert re.search("gateway-fields.keyring", other.children["gateway"].output)
    assert not (other.folder / "data/gateway.sqlite").exists()
    other.close()


def test_keys_rotate_by_a_reload_and_a_stopped_store_is_opened(suite, binaries, staff):
    def operate(*arguments, status=0):
        done = subprocess.run(
            [binaries / "yijia", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    config = ("--config", suite.gateway_file)
    operate("keys", "add", *config, "--keyring", "fields")
    suite.children["gateway"].send(signal.SIGHUP)
    log = suite.folder / "logs/gateway.log"
    wait_until(lambda: "configuration reloaded" in log.read_text(), 10, "the reload")
    partner = staff.CreatePartner(accounts.CreatePartnerRequest(
        request_id=request_id(), partner=accounts.Partner(display_name="轮换"))).partner
    client = with_key(suite, new_key(staff, partner).secret)
    assert lists(client)
    client.close()
    suite.stop("gateway")
    assert "intact" in operate("audit", "verify", *config).lower()
    operate("backup", "create", *config, "--to", suite.folder / "gateway-backup")
    operate("backup", "verify", suite.folder / "gateway-backup")
    suite.start("gateway")
