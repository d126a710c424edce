"""The mobile page behind a scanned code, in a real browser: chromium against the real gateway."""

import contextlib
import datetime
import io
import json
import re
from zoneinfo import ZoneInfo

import pytest
import zxingcpp
from PIL import Image

from browser import Browser, one_time_code
from people import People, enrollment, request_id
from stubs import members

PEOPLE = People(series=15)


@pytest.fixture(scope="module")
def browser(suite):
    browser = Browser(f"https://{suite.gateway}")
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def no_problem(browser):
    """Whatever a test looks at: the console stays empty, and nothing leaves the origin."""
    yield
    problems, browser.problems[:] = list(browser.problems), []
    assert problems == []


@pytest.fixture(scope="module")
def staff(suite):
    return suite.client("staff").members


def issue(suite, staff, external_id, **fields):
    code = staff.IssueOrganizationCode(members.IssueOrganizationCodeRequest(
        request_id=request_id(), organization=suite.organization(external_id), **fields)).code
    assert code.link == f"https://{suite.gateway}/c/{code.text}", "the code leads to the page"
    return code


@pytest.fixture(scope="module")
def code(suite, staff):
    return issue(suite, staff, "q-130302001")


@contextlib.contextmanager
def signed_in(browser, suite, path, phone):
    tab = browser.tab(path)
    try:
        sign_in(tab, suite, phone)
        yield tab
    finally:
        tab.context.close()


def sign_in(tab, suite, phone, after=0):
    tab.get_by_label("手机号").fill(phone)
    tab.get_by_role("button", name="获取验证码").click()
    tab.get_by_label("短信验证码").fill(one_time_code(suite, phone, after)[0])
    tab.get_by_role("button", name="登录", exact=True).click()


def new_member(suite, external_id="q-130302001"):
    """A person whom a partner enrolled."""
    person = PEOPLE.next()
    suite.client("partner").members.SubmitEnrollment(enrollment(person, areas=members.Areas(
        work=external_id.removeprefix("q-"))))
    return person


def told(tab, text):
    """Waits until the page says so."""
    tab.locator(".notice", has_text=text).wait_for()


def confirm(tab, name):
    """Answers the second question."""
    tab.locator("dialog").get_by_role("button", name=name).click()


def errors(tab):
    """The texts beside the fields, by the field's path."""
    return {
        place.get_attribute("data-path"): place.locator(".error").first.inner_text()
        for place in tab.locator("[data-path]").all()
        if place.locator(".error").first.inner_text()}


@pytest.fixture(scope="module")
def applicant(browser, suite, code):
    """Somebody who scanned a code and signed in by phone; (person, tab)."""
    person = PEOPLE.next()
    with signed_in(browser, suite, f"/c/{code.text}", person.phone) as tab:
        yield person, tab


def test_an_application_is_corrected_and_submitted_once(applicant):
    person, tab = applicant
    tab.get_by_role("heading", name="文化路街道总工会").wait_for()
    assert "河北省 秦皇岛市 海港区" in tab.locator("main").inner_text()
    tab.get_by_role("button", name="申请入会").click()
    tab.get_by_label("姓名").fill("Nobody")
    tab.get_by_label("身份证号").fill(person.resident_id[:-1] + "?")
    tab.get_by_label("职业群体").select_option("OCCUPATION_GROUP_COURIER")
    tab.get_by_label("我已阅读并同意").check()
    tab.get_by_role("button", name="提交申请").click()
    told(tab, "有 2 处需要更正")
    assert set(errors(tab)) == {"application.personName", "application.residentId"}
    assert tab.get_by_label("姓名").evaluate("node => node === document.activeElement")

    # A change of the language loses nothing of what was entered.
    tab.get_by_role("button", name="English").click()
    tab.get_by_label("Name", exact=True).fill(person.name)
    tab.get_by_label("Resident ID").fill(person.resident_id)
    tab.get_by_role("button", name="中文").click()
    assert tab.get_by_label("我已阅读并同意").is_checked()

    # The answer is lost after two taps, and the page is reloaded: the same request is sent again.
    sent = []
    tab.route("**/v1/enrollments", lambda route: (
        sent.append(route.request.post_data_json), route.fetch(), route.abort()))
    tab.get_by_role("button", name="提交申请").dblclick()
    told(tab, "连不上服务器")
    assert {each["requestId"] for each in sent} == {sent[0]["requestId"]}
    tab.unroute_all()
    with tab.expect_request(lambda request: request.method == "POST" and request.url.endswith(
            "/v1/enrollments")) as again:
        tab.reload()
    assert again.value.post_data_json == sent[0]
    told(tab, "入会申请已经提交")
    assert tab.get_by_text("已受理").count() == 1, "one application, however often it was sent"


def test_a_member_shows_a_code_that_a_scanner_reads(browser, suite):
    person = new_member(suite)
    with signed_in(browser, suite, "/me", person.phone) as tab:
        drawn = tab.locator("img.qr")
        drawn.wait_for()
        image = Image.open(io.BytesIO(drawn.screenshot()))
        assert zxingcpp.read_barcodes(image)[0].text == tab.locator("figure code").inner_text()
        text = tab.locator("main").text_content()
        assert person.resident_id not in text and person.phone not in text, "masked as served"
        tab.get_by_role("button", name="打开").click()
        assert errors(tab) == {"code": "请填写编码。"}


def test_a_member_transfers_by_a_code_and_cancels(browser, suite, staff, code):
    person = new_member(suite, "q-130303001")
    with signed_in(browser, suite, f"/c/{code.text}", person.phone) as tab:
        tab.get_by_role("button", name="转入此工会").click()
        confirm(tab, "转入此工会")
        told(tab, "等待转入的工会决定")
        assert tab.get_by_role("button", name="转入此工会").count() == 0, "one at a time"
        tab.get_by_role("button", name="撤销转会").click()
        confirm(tab, "撤销转会")
        told(tab, "转会已撤销")
        open_code = issue(suite, staff, "q-130303005", accepts_transfers=True)
        tab.goto(f"{browser.address}/c/{open_code.text}")
        tab.get_by_role("button", name="转入此工会").click()
        confirm(tab, "转入此工会")
        told(tab, "转会已完成")
        told(tab, "您已由此工会管理")


def test_a_member_corrects_confirms_exports_and_signs_out(browser, suite):
    person = new_member(suite)
    with signed_in(browser, suite, "/me", person.phone) as tab:
        tab.get_by_text("确认信息无误").click()
        tab.get_by_role("button", name="信息都对").click()
        told(tab, "已确认")
        correct = tab.locator("details", has_text="更正姓名")
        correct.locator("summary").click()
        correct.get_by_label("手机号").fill("123")
        correct.get_by_role("button", name="申请更正").click()
        told(tab, "有 1 处需要更正")
        assert set(errors(tab)) == {"data.phone"}
        correct.get_by_label("手机号").fill(PEOPLE.next().phone)
        correct.get_by_role("button", name="申请更正").click()
        told(tab, "更正已提交")
        tab.get_by_text("导出我的全部信息").click()
        with tab.expect_download() as saved:
            tab.get_by_role("button", name="下载文件").click()
        parts = json.loads(saved.value.path().read_text())
        assert parts[0]["record"]["residentId"] == person.resident_id
        tab.get_by_role("button", name="退出", exact=True).click()
        told(tab, "已退出登录")
        assert tab.evaluate("Object.keys(sessionStorage).length") == 0
        tab.reload()
        tab.get_by_role("heading", name="会员登录").wait_for()


def test_a_member_reports_an_absence_corrects_it_and_comes_back(browser, suite, staff):
    person = new_member(suite)
    today = datetime.datetime.now(ZoneInfo("Asia/Shanghai")).date()
    with signed_in(browser, suite, "/me", person.phone) as tab:
        absences = tab.locator("details", has_text="外出报备")

        def show():
            tab.locator("#member-number").wait_for()
            tab.reload()  # what was told of the step before is not told of this one
            absences.locator("summary").click()
            absences.get_by_role("button", name="查看和办理报备").click()

        def review(**changes):
            (report,) = staff.ListAwayReports(
                members.ListAwayReportsRequest(page_size=1_000)).reports[-1:]
            staff.ReviewAwayReport(members.ReviewAwayReportRequest(
                request_id=request_id(), name=report.name, etag=report.etag, **changes))

        show()
        absences.get_by_label("外出日期").fill(str(today))
        absences.get_by_label("返回日期").fill(str(today + datetime.timedelta(days=100)))
        absences.get_by_label("目的地").fill("广东省深圳市")
        absences.get_by_label("外出期间的手机号").fill("123")
        absences.get_by_role("button", name="提交报备").click()
        told(tab, "有 2 处需要更正")
        assert set(errors(tab)) == {"returnDate", "details.contact"}
        absences.get_by_label("返回日期").fill(str(today + datetime.timedelta(days=200)))
        absences.get_by_label("外出期间的手机号").fill(person.phone)
        absences.get_by_role("button", name="提交报备").click()
        told(tab, "报备已提交")
        review(send_back=True, note="请写明区县")
        show()
        absences.locator(".entry", has_text="退回修改").wait_for()
        place = absences.get_by_label("目的地")
        assert place.input_value() == "广东省深圳市"
        place.fill("广东省深圳市宝安区")
        absences.get_by_role("button", name="重新提交").click()
        told(tab, "报备已提交")
        review()
        for button in ("登记出发", "登记返回"):
            show()
            absences.get_by_role("button", name=button).click()
            told(tab, "已登记")
        show()
        absences.locator(".entry", has_text="已返回").wait_for()
        assert absences.get_by_role("button", name="提交报备").is_visible(), "the next one"


def test_a_member_leaves_after_a_second_question(browser, suite, staff):
    person = new_member(suite)
    with signed_in(browser, suite, "/me", person.phone) as tab:
        tab.get_by_text("退会", exact=True).click()
        tab.get_by_role("button", name="退出工会").click()
        confirm(tab, "取消")
        assert tab.locator("#member-number").is_visible()
        tab.get_by_role("button", name="退出工会").click()
        confirm(tab, "退出工会")
        told(tab, "您已退会")
        tab.get_by_text("删除我的个人信息").click()
        tab.get_by_role("button", name="全部删除").click()
        confirm(tab, "全部删除")
        tab.get_by_role("heading", name="个人信息已删除").wait_for()
    assert not staff.ListMembers(
        members.ListMembersRequest(resident_id=person.resident_id)).members


def test_whoever_signs_in_after_somebody_else_sees_nothing_of_their_application(
        browser, suite, code):
    first, second = PEOPLE.next(), PEOPLE.next()
    with signed_in(browser, suite, f"/c/{code.text}", first.phone) as tab:
        tab.get_by_role("button", name="申请入会").click()
        tab.get_by_label("姓名").fill(first.name)
        tab.get_by_role("button", name="退出", exact=True).click()
        told(tab, "已退出登录")
        sign_in(tab, suite, second.phone)
        tab.get_by_role("button", name="申请入会").click()
        assert tab.get_by_label("姓名").input_value() == ""


def test_an_ended_session_leads_back_to_the_sign_in(browser, suite):
    person = new_member(suite)
    with signed_in(browser, suite, "/me", person.phone) as tab:
        tab.locator("#member-number").wait_for()
        tab.evaluate("sessionStorage.setItem('member.token', 'yjs_' + '0'.repeat(64))")
        tab.reload()
        told(tab, "登录已失效")
        tab.get_by_label("手机号").wait_for()


def test_a_code_that_does_not_hold_says_what_to_do(browser, suite, staff):
    tab = browser.tab("/c/<img src=x onerror=alert(1)>")
    told(tab, "不是完整的工会二维码")
    tab.get_by_role("button", name="直接登录").click()
    tab.get_by_role("heading", name="会员登录").wait_for()
    tab.context.close()
    revoked = issue(suite, staff, "q-130302003")
    staff.RevokeOrganizationCode(members.RevokeOrganizationCodeRequest(
        request_id=request_id(), name=revoked.name))
    person = new_member(suite)
    with signed_in(browser, suite, f"/c/{revoked.text}", person.phone) as tab:
        tab.get_by_text("请向工会索取新的二维码").wait_for()
        tab.locator("#member-number").wait_for()


def test_the_pages_fit_a_narrow_phone(browser, code):
    for path in ("/", "/me", f"/c/{code.text}"):
        tab = browser.tab(path, width=320, height=568)
        tab.locator("h1").wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 320, path
        small = tab.evaluate(
            "[...document.querySelectorAll('main button, main input, main select')]"
            ".filter(node => node.offsetHeight < 44).length")
        assert small == 0, f"{path} has targets that are too small for a thumb"
        tab.context.close()


def test_the_regions_are_those_of_the_choice_made_last(applicant):
    _, tab = applicant
    tab.get_by_role("button", name="再申请一份").click()
    work = tab.locator("[data-path='application.areas.work']")
    province = work.get_by_label("省")
    province.wait_for()
    held = []
    tab.route("**/v1/regions?parent=regions%2F32*", lambda route: held.append(route))
    province.select_option("320000")
    while not held:
        tab.wait_for_timeout(20)
    province.select_option("330000")
    work.get_by_label("市（州）").wait_for()
    with tab.expect_response("**/v1/regions?parent=regions%2F32*"):
        held[0].continue_()
    tab.evaluate("new Promise(resolve => setTimeout(resolve, 50))")
    assert "杭州市" in work.get_by_label("市（州）").inner_text()
    tab.get_by_role("button", name="返回").click()


def test_an_admitted_applicant_sees_the_number_by_proving_the_phone_anew(applicant, suite, staff):
    person, tab = applicant
    tab.get_by_role("button", name="验证手机号").click()
    send = tab.get_by_role("button", name="获取验证码")
    send.click()
    entry = tab.get_by_label("短信验证码")
    refusal = tab.get_by_text("秒后重试")
    entry.or_(refusal).wait_for()
    if refusal.is_visible():
        seconds = int(re.search(r"(\d+) 秒后重试", refusal.inner_text())[1])
        tab.wait_for_timeout(seconds * 1_000)
        send.click()
    entry.fill(one_time_code(suite, person.phone, after=1)[0])
    tab.get_by_role("button", name="登录", exact=True).click()
    number = tab.locator("#member-number")
    number.wait_for()
    found = staff.ListMembers(members.ListMembersRequest(resident_id=person.resident_id)).members
    assert [each.member_number for each in found] == [number.inner_text()]
    tab.reload()
    number.wait_for()
    assert number.inner_text() == found[0].member_number
