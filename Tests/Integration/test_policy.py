"""Who may call what, tried: every method by every kind of caller, through the gateway.

The requests are no messages, so none has an effect: whoever is let through gets INTERNAL from what
serves the method. The table is the reviewed one, Tests/Fixtures/policy.txt.
"""

import collections
import html
import re
import subprocess

import grpc
import pytest

from clients import Client
from contracts import refusal
from people import People, enrollment
from processes import ROOT, wait_until
from stubs import accounts
from test_json import JSON, Caller, reason

CODE = grpc.StatusCode
NO_MESSAGE = b"\xff"
ROLES = ("viewer", "clerk", "administrator")
# Callers by the column of the table that decides about them.
COLUMNS = {
    "nobody": "anybody", "partner": "partner", "limited_partner": "partner", "kiosk": "kiosk",
    "viewer": "staff", "clerk": "staff", "staff": "staff", "expired": "staff", "member": "member"}
GRANTED = "/yijia.members.v1.MembersService/GetEnrollment"
LET_THROUGH = (CODE.INTERNAL, "")

Row = collections.namedtuple("Row", "path kind partner kiosk staff member anybody service")


def rows(text):
    """The rows of the table; columns are two spaces apart."""
    lines = text.strip().splitlines()[1:]
    return [Row(*re.split(r" {2,}", line)[:8]) for line in lines]


TABLE = rows((ROOT / "Tests/Fixtures/policy.txt").read_text())


def expected(who, row):
    """(code, reason) of the caller's call by the table."""
    if row.anybody == "yes":
        return LET_THROUGH
    if who == "nobody":
        return CODE.UNAUTHENTICATED, "CALLER_UNPROVEN"
    if who == "expired":
        return CODE.UNAUTHENTICATED, "CREDENTIAL_EXPIRED"
    allowed = getattr(row, COLUMNS[who])
    if allowed == "-":
        return CODE.PERMISSION_DENIED, "CALLER_KIND"
    if COLUMNS[who] == "staff":
        role = "administrator" if who == "staff" else who
        if ROLES.index(role) < ROLES.index(allowed):
            return CODE.PERMISSION_DENIED, "ROLE"
    if who == "limited_partner" and row.path != GRANTED:
        return CODE.PERMISSION_DENIED, "METHOD_NOT_GRANTED"
    return LET_THROUGH


@pytest.fixture(scope="module")
def callers(suite):
    """The credential of each kind of caller."""
    suite.add_staff("clerk", "clerk")
    suite.restart("gateway")
    found = {who: suite.metadata(who) for who in COLUMNS if who not in ("nobody", "member")}
    return {**found, "nobody": [], "member": [("authorization", f"Bearer {member_token(suite)}")]}


def member_token(suite):
    """The token of a member who signed in with a code to their phone."""
    person = People(series=13).next()
    suite.client("partner").members.SubmitEnrollment(enrollment(person))
    sessions = accounts.SessionsServiceStub(suite.client(None).intercepted)
    sessions.RequestMemberCode(accounts.RequestMemberCodeRequest(phone=person.phone))

    def code():
        log = suite.children["gateway"].output
        return re.findall(rf"code=(\d{{6}}) phone=\*{person.phone[-4:]}", log)

    [sent] = wait_until(code, what="the code")
    return sessions.SignInMember(
        accounts.SignInMemberRequest(phone=person.phone, code=sent)).token


def outcomes(suite, metadata):
    """What every method says to a caller, all asked at once: path -> refusal."""
    client = Client(suite.gateway, suite.authority)
    try:
        calls = {
            row.path: client.channel.unary_unary(row.path).future(
                NO_MESSAGE, metadata=metadata, timeout=60)
            for row in TABLE}
        errors = {path: call.exception() for path, call in calls.items()}
    finally:
        client.close()
    answered = [path for path, error in errors.items() if error is None]
    assert not answered, f"{answered} took what is no message"
    return {path: refusal(error) for path, error in errors.items()}


@pytest.mark.parametrize("who", COLUMNS)
def test_every_method_answers_a_kind_of_caller_as_the_table_says(suite, callers, who):
    told = outcomes(suite, callers[who])
    wrong = {
        row.path: (told[row.path].code, told[row.path].reason)
        for row in TABLE
        if (told[row.path].code, told[row.path].reason) != expected(who, row)}
    assert not wrong
    refused = [one for one in told.values() if one.reason]
    assert {one.domain for one in refused} <= {"gateway.yijia"}, "no service was asked"
    assert all(one.message and one.localized for one in refused)


def test_the_table_tells_all_kinds_of_caller_apart():
    """Else the test above would show little."""
    assert len(TABLE) == len({row.path for row in TABLE}) > 140
    seen = collections.Counter((who, expected(who, row)) for who in COLUMNS for row in TABLE)
    for who in set(COLUMNS) - {"nobody", "expired"}:
        assert seen[who, LET_THROUGH] and seen[who, (CODE.PERMISSION_DENIED, "CALLER_KIND")]
    assert seen["viewer", (CODE.PERMISSION_DENIED, "ROLE")]
    assert seen["clerk", (CODE.PERMISSION_DENIED, "ROLE")]


def test_nobody_gets_further_by_json_or_grpc_web(suite, callers):
    """An empty request, which many a method would serve."""
    caller = Caller(suite, None)
    closed = [row for row in TABLE if row.anybody == "-"]
    for row in closed:
        response, body = caller("POST", row.path, "{}", content_type=JSON)
        assert (response.status, reason(body)) == (401, "CALLER_UNPROVEN"), row.path
        assert response.getheader("www-authenticate") == "Bearer"
        response, body = caller(
            "POST", row.path, bytes(5), content_type="application/grpc-web+proto")
        assert body[0] == 0x80 and b"grpc-status: 16\r\n" in body, row.path
    caller.connection.close()


def test_the_program_and_the_page_show_the_table_that_is_enforced(suite, binaries):
    done = subprocess.run(
        [binaries / "yijia-gateway", "--config", suite.gateway_file, "--policy"],
        capture_output=True, text=True, timeout=60, check=True)
    assert rows(done.stdout) == TABLE
    caller = Caller(suite, None)
    response, page = caller("GET", "/docs/policy", accept_language="en")
    caller.connection.close()
    assert response.status == 200
    table = re.findall(r"<tr>(<td.*?)</tr>", page.decode(), re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in table]
    assert [Row(*map(html.unescape, row[:8])) for row in cells] == TABLE
