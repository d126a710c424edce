"""The staff console in a browser: what clerks, administrators and viewers do with it."""

import base64
import io
import json
import pathlib
import ssl
import urllib.request

import pytest
import zxingcpp
from google.protobuf.field_mask_pb2 import FieldMask
from PIL import Image

from browser import Browser
from console_page import Console, authenticator_code
from console_tables import TABLES, Contracts, wrong_in_action, wrong_in_views
from people import People, request_id
from stubs import accounts, members
from test_command_line import as_staff
from test_enroll_command import row, write

PEOPLE = People(series=10)
PASSWORD = "a password of my own, with a blank at its end "
AREA = "130304001"
# Callers of the suite, their roles and organizations.
STAFF = (("staff", "administrator", ""), ("clerk", "clerk", "qinhuangdao"),
         ("reader", "viewer", "q-130304"))


@pytest.fixture(scope="module")
def running(suite, binaries):
    """A suite with staff of each role; one region approves before somebody is a member."""
    for who, role, external_id in STAFF:
        if external_id:
            suite.add_staff(who, role, suite.organization(external_id))
    suite.restart("gateway")
    as_staff(suite, binaries, "regions", "set", "130304", "--rule", "HOLDING_POOL", "--rule",
             "AREA_UNION", "--approve-first", "true")
    return suite


@pytest.fixture(scope="module")
def browser(running):
    made = Browser(f"https://{running.gateway}")
    yield made
    made.close()


@pytest.fixture
def open_console(browser):
    """Opens consoles, which end with the test: with nothing in the browser's console."""
    tabs = []
    del browser.problems[:]

    def run(width=1440, height=900, **settings):
        tabs.append(browser.tab("/console", width, height, **settings))
        return Console(tabs[-1])

    yield run
    for tab in tabs:
        tab.context.close()
    assert browser.problems == []


@pytest.fixture(scope="module")
def staff(running):
    return running.client("staff")


def organization(staff, external_id):
    return staff.members.ListOrganizations(members.ListOrganizationsRequest(
        external_id=external_id)).organizations[0]


@pytest.fixture
def signed_in(running, open_console):
    """The console with a token of the gateway's configuration: staff, clerk, reader."""
    def run(who, **settings):
        console = open_console(**settings)
        ((_, bearer),) = running.metadata(who)
        role, external_id = next(rest for name, *rest in STAFF if name == who)
        own = running.organization(external_id) if external_id else ""
        console.page.evaluate(
            """([token, account]) => {
              sessionStorage.setItem("console.token", token);
              sessionStorage.setItem("console.account", JSON.stringify(account));
            }""", [bearer.removeprefix("Bearer "),
                   {"role": f"STAFF_ROLE_{role.upper()}", "organization": own, "displayName": who}])
        console.page.reload()
        return console.signed_in()
    return run


@pytest.fixture
def enroll(running, binaries, tmp_path):
    """An application that waits for a decision; the person."""
    def run():
        person = PEOPLE.next()
        roster = tmp_path / "roster.csv"
        values = row(person, work_area=AREA)
        write(roster, [values], tuple(values))
        as_staff(running, binaries, "enroll", roster, "--by", "staff")
        return person
    return run


def waiting(staff):
    return [one.name for one in staff.members.ListEnrollments(
        members.ListEnrollmentsRequest()).enrollments]


def saved_text(console, button):
    """What the first button of that name saves."""
    with console.page.expect_download() as saved:
        console.page.get_by_role("button", name=button, exact=True).first.click()
    return pathlib.Path(saved.value.path()).read_text(encoding="utf-8-sig")


def test_an_account_signs_in_with_a_password_and_an_authenticator(staff, open_console):
    directory = accounts.AccountsServiceStub(staff.intercepted)
    made = directory.CreateStaff(accounts.CreateStaffRequest(
        request_id=request_id(), staff=accounts.StaffAccount(
            user_name="li.si", display_name="李四", role="STAFF_ROLE_CLERK",
            organization=organization(staff, "q-130302").name)))
    console = open_console().sign_in("li.si", "wrong password")
    page = console.page
    page.locator(".sign-in .notice.bad").wait_for()
    console.sign_in("li.si", made.temporary_password).signed_in()
    assert "临时密码" in page.locator("main .notice").text_content()
    console.act("change-password", password=made.temporary_password, newPassword="short").submit()
    assert console.error_of("newPassword")
    console.fill("newPassword", PASSWORD).done()
    page.locator("header .who", has_text="海港区总工会").wait_for()
    assert "李四 经办员" in page.locator("header .who").inner_text()
    comes_back_to_the_same_place(console, directory, made.staff.name)
    console.go("account").act("enroll-totp", password=PASSWORD).submit()
    secret = page.locator("dialog .secret code").first.text_content()
    assert page.locator("dialog img.qr").evaluate("image => image.naturalWidth") > 0
    console.fill("totpCode", authenticator_code(secret)).done()
    signs_out_although_nobody_answers(page)
    assert secret not in page.content()
    console.sign_in("li.si", PASSWORD)
    code = page.locator("[name=totpCode]")
    code.wait_for()
    # A code is good once: the next one is accepted a little early.
    code.fill(authenticator_code(secret, steps=1))
    page.locator(".sign-in button[type=submit]").click()
    console.signed_in()


def comes_back_to_the_same_place(console, directory, name):
    """A session that ended is explained, and signing in again goes on where it ended."""
    def end():
        directory.EndStaffSessions(accounts.EndStaffSessionsRequest(
            request_id=request_id(), name=name, reason="test"))

    console.go("away").act("draw", count="3")
    end()
    console.submit().page.get_by_text("登录已结束").wait_for()
    console.sign_in("li.si", PASSWORD).signed_in()
    typed = console.act("draw").page.locator("dialog [name=count]")
    assert typed.input_value() == "3"
    console.page.keyboard.press("Escape")
    assert console.act("draw").page.locator("dialog [name=count]").input_value() == ""
    console.page.keyboard.press("Escape")
    end()
    console.page.evaluate("location.hash = '#/pool?overdue=true'")
    console.page.get_by_text("登录已结束").wait_for()
    console.sign_in("li.si", PASSWORD).signed_in()
    console.settle()
    assert console.page.url.endswith("#/pool?overdue=true")
    assert console.page.locator("[name=overdue]").is_checked()


def signs_out_although_nobody_answers(page):
    """Whoever leaves is gone at once, and whoever comes next does not begin where they were."""
    page.route("**/v1/sessions:signOut", lambda route: None)
    page.locator("#sign-out").click()
    page.locator(".sign-in").wait_for(timeout=5_000)
    assert page.evaluate("Object.keys(sessionStorage).length") == 0
    assert page.url.endswith("/console")
    page.unroute_all()


def test_a_clerk_approves_an_enrollment_and_assigns_the_pool_case(signed_in, staff, enroll):
    enroll()
    name = waiting(staff)[0]
    console = signed_in("clerk").go("enrollments")
    told = saved_text(console, "下载本页 CSV")
    assert '"待审批","快递员","北戴河区会员周转池"' in told, "names, as the page shows them"
    console.page.locator("td.acts a").first.click()
    console.page.locator("[data-action=approve]").wait_for()
    assert console.page.url.endswith(name) and "*" in console.fact("姓名")
    console.act("approve").done().shows("状态", "已入会")
    assert "approve" not in console.actions
    found = staff.members.GetEnrollment(members.GetEnrollmentRequest(name=name)).enrollment
    assert found.state == members.ENROLLMENT_STATE_ADMITTED
    case = next(one for one in staff.members.ListPoolCases(
        members.ListPoolCasesRequest()).pool_cases if one.member == found.member)
    console.open(case.name).act("assign", receiver="no-such-organization").submit()
    assert console.error_of("receiver")
    console.fill("receiver", "q-130304001").done().shows("状态", "已分派")
    console.shows("接收组织", "西山街道总工会").act("confirm").done().shows("状态", "已确认")
    console.page.go_back()
    console.page.wait_for_url("**/console#/" + name)
    console.page.locator("h1", has_text="入会审批").wait_for()


def test_an_absence_is_reported_by_the_members_number(signed_in, staff, enroll):
    person = enroll()
    name = waiting(staff)[-1]
    signed_in("clerk").open(name).act("approve").done()
    number = staff.members.ListMembers(members.ListMembersRequest(
        resident_id=person.resident_id)).members[0].member_number
    console = signed_in("clerk").go("away").act(
        "report-away", member="12345678901", departureDate="2100-01-01", returnDate="2100-12-31",
        **{"details.destination": "深圳", "details.contact": person.phone}).submit()
    assert console.error_of("member")
    console.fill("member", number).done()
    told = staff.members.ListAwayReports(members.ListAwayReportsRequest()).reports
    assert [each.departure_date.year for each in told] == [2100]


def test_an_organization_is_created_with_a_wrong_field_and_then_right(signed_in, staff):
    console = signed_in("staff").open(organization(staff, "q-130322").name)
    console.act("create-organization", **{
        "organization.kind": "ORGANIZATION_KIND_ENTERPRISE_UNION",
        "organization.level": "ORGANIZATION_LEVEL_BASIC",
        "organization.displayName": "昌黎某物流公司工会", "organization.regionCode": "110105",
        "organization.externalId": "console-logistics"}).submit()
    assert console.error_of("organization.regionCode")
    console.fill("organization.regionCode", "130322").done()
    made = organization(staff, "console-logistics")
    assert made.state == members.ORGANIZATION_STATE_PREPARING
    console.open(made.name)
    console.shows("状态", "筹备中").shows("上级组织", "昌黎县总工会")


def test_the_tree_marks_the_organization_that_is_shown(signed_in, staff):
    first, second = (organization(staff, each) for each in ("q-130321", "q-130322"))
    union = organization(staff, "q-130321100")
    console = signed_in("staff").open(union.name).open(second.name)
    marked = console.page.locator(".leaf[aria-current=true]")
    # What is below is read now, and was the shown one before.
    for name in ("河北省总工会", "秦皇岛市总工会", first.display_name):
        toggle = console.page.get_by_role("button", name=f"{name}的下级", exact=True)
        toggle.wait_for()
        if toggle.get_attribute("aria-expanded") == "false":
            toggle.click()
    console.page.locator(f".leaf[data-name='{union.name}']").wait_for()
    assert [each.get_attribute("data-name") for each in marked.all()] == [second.name]


def test_a_code_is_issued_and_seen(signed_in, staff):
    union = organization(staff, "q-130322100")
    console = signed_in("clerk").open(union.name)
    console.act("issue-code", channel="CHANNEL_QR_SCAN", campaign="春送岗位").done()
    console.act("print-code")
    image = console.page.locator("dialog img")
    image.wait_for()
    assert image.evaluate("node => node.decode().then(() => node.naturalWidth)") > 100
    content = image.get_attribute("src").split(",", 1)[1]
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(base64.b64decode(content))))
    code = staff.members.ListOrganizationCodes(
        members.ListOrganizationCodesRequest(organization=union.name)).codes[0]
    assert code.text in read[0].text and code.campaign == "春送岗位"


def test_the_figures_of_coverage_are_those_of_the_interface(signed_in, staff):
    county = organization(staff, "q-130304").name
    base = members.Base(organization=county, people=4, qualifier="余", source="县区摸底")
    base.date.year, base.date.month, base.date.day = 2026, 1, 31
    staff.members.SetBase(members.SetBaseRequest(request_id=request_id(), base=base))
    staff.members.SetCoverageTarget(members.SetCoverageTargetRequest(
        request_id=request_id(), target=members.CoverageTarget(
            organization=county, basis_points=9500)))
    told = staff.members.GetCoverage(members.GetCoverageRequest(organization=county))
    console = signed_in("reader").go("overview")
    assert console.fact("会员（分子）").split()[0] == str(told.members)
    assert console.fact("基数（分母）") == "4 余"
    assert "县区摸底" in console.fact("基数来源") and "2026年1月31日" in console.fact("基数来源")
    assert console.fact("覆盖率") == f"{told.coverage_basis_points / 100:.2f} %"
    assert console.fact("目标") == "95.00 %"
    assert console.fact("还差") == str(told.people_needed)
    assert "县区摸底" in saved_text(console, "下载 CSV")


def test_a_viewer_is_offered_no_actions(signed_in, staff, enroll):
    enroll()
    console = signed_in("reader")
    for view in ("enrollments", "pool", "members", "away", "refresh"):
        assert not console.go(view).actions, view
    assert console.go("organizations").actions == {"export-organizations"}, "which only reads"
    for name in (waiting(staff)[0], organization(staff, "q-130304").name):
        assert not console.open(name).actions, name
    assert "没有这一页" in console.go("staff").page.locator("main").text_content()
    assert console.page.locator("nav a[href='#/partners']").count() == 0


def test_a_stale_etag_is_explained_and_the_second_try_works(signed_in, staff):
    union = organization(staff, "q-130321100")
    console = signed_in("staff").open(union.name).act("update-organization")
    staff.members.UpdateOrganization(members.UpdateOrganizationRequest(
        request_id=request_id(), organization=members.Organization(
            name=union.name, etag=union.etag, industry_group="快递"),
        update_mask=FieldMask(paths=["industry_group"])))
    console.fill("organization.displayName", "青龙镇工会").submit()
    console.page.get_by_text("在此期间别人改动过这条记录").wait_for()
    console.done()
    found = organization(staff, "q-130321100")
    assert (found.display_name, found.industry_group) == ("青龙镇工会", "快递")


def test_details_that_come_late_do_not_rename_the_view(signed_in, staff):
    union = organization(staff, "q-130321100")
    console = signed_in("clerk").go("pool")
    held = held_at(console, "**/v1/" + union.name)
    console.page.evaluate("name => { location.hash = `#/${name}`; }", union.name)
    wait_for(console, held)
    console.go("transfers")
    with console.page.expect_response("**/v1/" + union.name):
        for route in held:
            route.continue_()
    console.page.evaluate("new Promise(resolve => setTimeout(resolve, 50))")
    assert console.page.locator("main h1").text_content() == "转会"


def test_what_fails_beside_a_form_is_told(signed_in):
    console = signed_in("clerk").go("pool")
    for place in ("**/v1/organizations?externalId=*", "**/*MembersService/ExportCoverages"):
        console.page.route(place, lambda route: route.fulfill(
            status=400, json={"code": 3, "message": "not today"}))
    console.page.locator(".filters [name=receiver]").fill("q-130304001")
    console.page.get_by_role("button", name="筛选").click()
    console.page.locator(".filters .notice.bad", has_text="not today").wait_for()
    console.go("overview")
    console.page.get_by_role("button", name="下载 CSV", exact=True).first.click()
    console.page.locator(".overview .notice.bad", has_text="not today").wait_for()


def test_what_is_revealed_is_gone_when_the_view_is_left(signed_in, staff, enroll):
    person = enroll()
    name = waiting(staff)[-1]
    console = signed_in("staff").open(name)
    console.act("approve").done()
    member = staff.members.GetEnrollment(members.GetEnrollmentRequest(name=name)).enrollment.member
    console.open(member).act("reveal-member", reason="电话核对").submit()
    shown = console.page.locator("dialog .facts")
    shown.wait_for()
    told = shown.text_content()
    revealed = staff.members.RevealMember(members.RevealMemberRequest(
        request_id=request_id(), name=member, reason="test of the console"))
    assert revealed.person_name in told and revealed.resident_id in told
    assert revealed.resident_id == person.resident_id
    console.go("pool")
    comes_too_late(console.open(member), "reveal-member")
    kept = console.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    for secret in (revealed.person_name, revealed.resident_id):
        assert secret not in console.page.content() + kept


def test_the_console_fits_a_phone_and_speaks_english(signed_in):
    console = signed_in("clerk", width=360, height=760, color_scheme="dark")
    console.page.get_by_role("button", name="English").click()
    for view in ("overview", "enrollments", "organizations", "members", "away", "account"):
        console.go(view)
        assert console.page.evaluate("document.documentElement.scrollWidth") <= 360, view
    console.page.locator("#menu").click()
    console.page.get_by_role("link", name="Holding pool").click()
    assert console.page.locator("h1").text_content() == "Holding pool"


def held_at(console, place):
    """The requests to a place, which wait until the test lets them go on."""
    held = []
    console.page.route(place, lambda route: held.append(route))
    return held


def wait_for(console, held):
    while not held:
        console.page.wait_for_timeout(20)


def comes_too_late(console, action):
    """What is revealed after the view was left is not shown."""
    held = held_at(console, "**/*:reveal")
    console.act(action, reason="电话核对").submit()
    wait_for(console, held)
    console.go("pool")
    with console.page.expect_response("**/*:reveal"):
        held[0].continue_()
    console.page.evaluate("new Promise(resolve => setTimeout(resolve, 50))")
    assert console.page.locator("dialog").count() == 0


# The tables of views, held to the contracts


@pytest.fixture(scope="module")
def contracts(running):
    trust = ssl.create_default_context(cadata=running.authority.decode())
    with urllib.request.urlopen(
            f"https://{running.gateway}/openapi.json", context=trust) as answer:
        return Contracts(json.load(answer))


@pytest.fixture(scope="module")
def tables(browser):
    tab = browser.tab("/console")
    try:
        return tab.evaluate(TABLES)
    finally:
        tab.context.close()


def test_every_view_and_action_is_as_the_contracts_say(tables, contracts):
    wrong = wrong_in_views(contracts, tables)
    assert not wrong, "\n".join(wrong)


def test_every_value_of_the_enums_has_its_words(tables, contracts):
    known = {values[0].removesuffix("UNSPECIFIED"): values[1:] for values in (
        schema["enum"] for schema in contracts.schemas.values() if "enum" in schema)}
    for prefix, words in tables["enums"].items():
        values = {value.removeprefix(f"{prefix}_") for value in known[f"{prefix}_"]}
        assert values == set(words), prefix
        assert all(len(set(pair)) == 2 for pair in words.values()), prefix


def test_a_table_that_has_rotted_is_noticed(contracts):
    """The control of the walk: each kind of rot is told."""
    good = {"id": "approve", "path": "/v1/enrollments/*:approve", "role": "CLERK", "etag": True,
            "fields": [], "shows": [], "given": []}
    field = {"path": "reason", "kind": "long", "isOutside": False, "label": ["理由", "reason"]}
    unnamed = ["enrollment", "enrollment"]
    assert not list(wrong_in_action(contracts, {}, good))
    for rot in ({"path": "/v1/enrollments/*:aprove"}, {"verb": "PATCH"}, {"role": "VIEWER"},
                {"plain": True}, {"wrap": "enrollment", "fields": [field]}, {"fields": [field]},
                {"shows": [field]}, {"shows": [{**field, "path": "enrollment", "label": unnamed}]},
                {"given": ["nothing"]}, {"mask": True}):
        assert list(wrong_in_action(contracts, {}, {**good, **rot})), rot
