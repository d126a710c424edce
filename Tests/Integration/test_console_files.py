"""The console's files: tables that are checked and carried out, exports, a person's data."""

import csv
import io
import json

import pytest

from people import People, request_id
from stubs import members
from test_console import (  # noqa: F401 (fixtures)
    AREA, browser, enroll, open_console, organization, running, saved_text, signed_in, staff)
from test_enroll_command import COLUMNS, row

PEOPLE = People(series=16)
HEADINGS = ("姓名", "身份证号", "手机号", "群体", "工作地区", "劳动关系", "同意书版本", "同意凭证", "同意时间")


@pytest.fixture
def table(tmp_path):
    """Writes a table as a file; its path."""
    def write(header, rows, encoding="utf-8-sig"):
        text = io.StringIO()
        csv.writer(text).writerows([header, *rows])
        file = tmp_path / "table.csv"
        file.write_bytes(text.getvalue().encode(encoding))
        return file
    return write


def cells(person, **changes):
    return [row(person, work_area=AREA, **changes)[name] for name in COLUMNS]


def known(staff, person):
    return staff.members.ListMembers(
        members.ListMembersRequest(resident_id=person.resident_id)).members


def waiting(staff):
    return {one.name for one in staff.members.ListEnrollments(
        members.ListEnrollmentsRequest(page_size=1_000)).enrollments}


def admitted(staff, enroll):
    """A pooled member: the person and their name."""
    before = waiting(staff)
    person = enroll()
    (name,) = waiting(staff) - before
    done = staff.members.ApproveEnrollment(members.ApproveEnrollmentRequest(
        request_id=request_id(), name=name, etag=staff.members.GetEnrollment(
            members.GetEnrollmentRequest(name=name)).enrollment.etag))
    return person, done.enrollment.member


def test_applications_are_checked_and_then_submitted_once(signed_in, staff, table):
    people = [PEOPLE.next() for _ in range(3)]
    wrong = cells(PEOPLE.next(), person_name="Nobody", group="会飞的", consent_time="昨天")
    rows = [cells(people[0], group="快递员", consent_time="2025/11/24 9:30"), cells(people[1]), wrong,
            cells(people[2])]
    roster = table(HEADINGS, rows, "gb18030")
    before = len(waiting(staff))
    console = signed_in("clerk").go("enrollments").act("import-enrollments", file=roster).submit()
    console.told("3 行可以提交，1 行有误")
    assert len(waiting(staff)) == before, "nothing is stored"
    problems = console.page.locator(".problems td").all_text_contents()
    assert problems[0] == "4" and len(problems) == 2, "the row as a spreadsheet counts"
    for field in ("姓名：", "群体：应为：货车司机、", "同意时间：应为时间"):
        assert field in problems[1]
    mend = list(csv.reader(io.StringIO(saved_text(console, "下载有误的行"))))
    assert mend[0] == [*HEADINGS, "问题"] and mend[1][:-1] == wrong and len(mend) == 2
    # The answers to the first request are lost.
    sent = []
    console.page.route("**/*MembersService/EnrollMembers", lambda route: (
        sent.append(route.request.post_data), route.fetch(), route.abort()), times=1)
    console.press("批量入会：3 行").told("3 行已提交，1 行有误")
    assert len(sent) == 1 and len(waiting(staff)) == before + 3
    # The file again: who was received is not received twice. Then the file of what was mended.
    console.submit().told("3 行可以提交").press("批量入会：3 行").told("3 行已提交")
    assert len(waiting(staff)) == before + 3
    mend[1] = cells(PEOPLE.next()) + ["see above"]
    console.fill("file", table(mend[0], mend[1:])).submit().told("1 行可以提交，0 行有误")
    console.press("批量入会：1 行").told("1 行已提交")
    assert len(waiting(staff)) == before + 4
    console.press("关闭")
    assert console.page.locator("tbody tr").count() >= 4, "the list behind is read again"


@pytest.mark.parametrize("content, problem", [
    (b"PK\x03\x04\0\0", "不是 CSV"), (b"", "没有数据"), ("姓名\n".encode(), "没有数据"),
    ("姓名,手机\n甲,1\n".encode(), "缺少列：身份证号、手机号"),
    (("，".join(HEADINGS) + "\n甲\n").encode(), "缺少列"),
    ((",".join((*HEADINGS, "备注")) + "\n甲\n").encode(), "不认识的列：备注"),
    ((",".join((*HEADINGS, "姓名")) + "\n甲\n").encode(), "重复的列：姓名"),
    ((",".join(HEADINGS) + "\n甲\n\"乙\n").encode(), "第 3 行：引号没有结束"),
    ((",".join(HEADINGS) + "\n甲\"乙\n").encode(), "第 2 行：含引号的单元格"),
])
def test_a_file_that_is_no_such_table_is_refused_whole(signed_in, tmp_path, content, problem):
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    console = signed_in("clerk").go("enrollments").act("import-enrollments").submit()
    assert console.error_of("file") == "必填。"
    assert problem in console.fill("file", file).submit().error_of("file")


def test_a_table_that_is_wrong_all_over_is_given_up(signed_in, table):
    rows = [["甲", "乙"]] * 1_200 + [["丙"] * len(HEADINGS)] * 3
    console = signed_in("clerk").go("enrollments")
    console.act("import-enrollments", file=table(HEADINGS, rows)).submit()
    console.told("0 行可以提交，1000 行有误").told("还有 203 行没有处理")
    console.page.get_by_text("错误太多").wait_for()
    assert console.page.locator(".problems tbody tr").count() == 100
    assert "有 2 格，而表头有 9 格" in console.page.locator(".problems td").nth(1).text_content()
    assert console.page.locator("dialog").get_by_role("button", name="批量入会").count() == 0


def test_an_upload_goes_on_where_the_network_broke(signed_in, staff, table):
    rows = [cells(PEOPLE.next()) for _ in range(102)]
    before = len(waiting(staff))
    console = signed_in("clerk").go("enrollments")
    console.act("import-enrollments", file=table(HEADINGS, rows)).submit()
    console.told("102 行可以提交")
    # The second batch does not get through.
    batches = []
    console.page.route("**/*MembersService/EnrollMembers", lambda route: (
        batches.append(route), route.continue_() if len(batches) == 1 else route.abort()))
    console.press("批量入会：102 行").told("还有 2 行没有处理").told("连不上服务器")
    assert len(waiting(staff)) == before + 100
    console.page.unroute_all()
    console.press("继续").told("102 行已提交，0 行有误")
    assert len(waiting(staff)) == before + 102


def test_pool_cases_are_dispatched_by_a_table_that_was_previewed(signed_in, staff, enroll, table):
    persons = [admitted(staff, enroll)[1] for _ in range(2)]
    console = signed_in("clerk").go("pool").act("dispatch")
    header, *lines = csv.reader(io.StringIO(saved_text(console, "下载模板")))
    assert header == ["周转编号", "接收工会", "会员号", "群体", "周转池", "期限"]
    numbers = {staff.members.GetMember(members.GetMemberRequest(name=one)).member.member_number
               for one in persons}
    lines = [line for line in lines if line[2] in numbers]
    assert [line[4] for line in lines] == ["北戴河区会员周转池"] * 2
    for line, receiver in zip(lines, ("q-130304001", "nobody")):
        line[1] = receiver

    def states():
        found = [staff.members.GetPoolCase(members.GetPoolCaseRequest(
            name=f"poolCases/{line[0]}")).pool_case for line in lines]
        return [members.PoolCaseState.Name(one.state).removeprefix("POOL_CASE_STATE_")
                for one in found]

    console.fill("file", table(header, lines)).submit().told("1 行可以分派，1 行有误")
    assert "接收工会：没有这个编号的组织" in console.page.locator(".problems").text_content()
    console.page.locator(".results a", has_text="西山街道总工会").wait_for()
    assert states() == ["WAITING", "WAITING"]
    console.press("批量分派：1 行").told("1 行已分派，1 行有误")
    assert states() == ["ASSIGNED", "WAITING"]


def test_organizations_are_exported_and_imported(signed_in, staff, table):
    console = signed_in("staff").go("organizations").act("export-organizations")
    with console.page.expect_download() as saved:
        console.submit()
    header, *lines = csv.reader(saved.value.path().open(encoding="utf-8-sig"))
    assert ["q-130322", "昌黎县总工会"] in [[line[0], line[2]] for line in lines]
    console.act("import-organizations", file=table(header, lines)).submit()
    console.told(f"{len(lines)} 行已导入，0 行有误")
    new = dict(zip(header, [""] * len(header)), external_id="console-imported",
               parent_external_id="q-130322", display_name="昌黎县货运工会联合会",
               kind="行业工会联合会", level="BASIC", region_code="130322", groups="货车司机;COURIER",
               takes_individuals="是", opened_date="2026/5/1")
    rows = [new, {**new, "external_id": "console-odd", "kind": "club", "opened_date": "2026-02-30"},
            {**new, "external_id": "console-far", "region_code": "110105"}]
    console.fill("file", table(header, [list(one.values()) for one in rows])).submit()
    console.told("1 行已导入，2 行有误")
    problems = console.page.locator(".problems td").all_text_contents()
    assert problems[0::2] == ["3", "4"]
    assert "类型：应为" in problems[1] and "成立日期：应为日期" in problems[1]
    assert problems[3].startswith("地区代码：")
    made = organization(staff, "console-imported")
    assert made.takes_individuals and made.opened_date.day == 1
    assert list(made.groups) == [
        members.OCCUPATION_GROUP_TRUCK_DRIVER, members.OCCUPATION_GROUP_COURIER]


def test_a_roster_is_compared_and_fills_an_outreach_list(signed_in, staff, enroll, table):
    person, _ = admitted(staff, enroll)
    other = PEOPLE.next()
    lines = [[person.resident_id, person.name, "某快递公司"], [person.resident_id, "别的名字", ""],
             [other.resident_id, other.name, "某快递公司"], ["12", "甲", ""]]
    roster = table(("身份证号", "姓名", "单位名称"), lines)
    console = signed_in("staff").go("outreach")
    console.act("compare-roster", file=roster).submit()
    assert console.error_of("header.purpose") == "必填。"
    console.fill("header.purpose", "x").submit()
    assert console.error_of("header.purpose") != "必填。"
    console.fill("header.purpose", "五月从业人员名册").submit().told("4 行已比对，0 行有误")
    counted = console.page.locator(".results .rows").first.locator("tbody tr").all_inner_texts()
    assert sorted(line.split() for line in counted) == sorted(
        [["本地会员", "1"], ["姓名不符", "1"], ["未入会", "1"], ["证号无效", "1"]])
    told = list(csv.reader(io.StringIO(saved_text(console, "下载结果"))))
    assert told == [["身份证号", "姓名", "单位名称", "结果"]] + [
        [*line, verdict] for line, verdict in zip(
            lines, ("本地会员", "姓名不符", "未入会", "证号无效"))]
    units = list(csv.reader(io.StringIO(saved_text(console, "下载单位"))))
    assert units[1:] == [["某快递公司", "", "2", "1"]]
    made = staff.members.CreateOutreachList(members.CreateOutreachListRequest(
        request_id=request_id(), organization=organization(staff, "q-130304").name,
        display_name="五月名册", means=members.OUTREACH_MEANS_PHONE,
        due_date={"year": 2100, "month": 1, "day": 1})).outreach_list
    console.press("关闭").open(made.name).act("extend-outreach", **{
        "file": roster, "header.purpose": "五月从业人员名册"}).submit()
    console.told("4 行已比对").page.get_by_text("加入名单 1 人").wait_for()


def test_an_applicants_data_are_exported_and_erased(signed_in, staff, enroll):
    before = waiting(staff)
    person = enroll()
    (name,) = waiting(staff) - before
    console = signed_in("staff").open(name).act("export-applicant", reason="本人书面要求")
    with console.page.expect_download() as saved:
        console.submit()
    assert person.resident_id in saved.value.path().read_text()
    console.act("erase-applicant", reason="本人书面要求").submit()
    assert console.error_of("sure") == "请先确认。"
    console.fill("sure", True).done()
    console.page.wait_for_url("**/console#/enrollments")
    assert name not in waiting(staff)


def test_a_persons_data_are_exported_and_erased(signed_in, staff, enroll):
    person, name = admitted(staff, enroll)
    number = known(staff, person)[0].member_number
    console = signed_in("staff").open(name).act("export-member", reason="本人书面要求")
    with console.page.expect_download() as saved:
        console.submit()
    assert saved.value.suggested_filename == f"{number}.json"
    parts = json.loads(saved.value.path().read_text())
    assert parts[0]["record"]["residentId"] == person.resident_id
    console.act("erase-member", reason="本人书面要求", sure="1").submit()
    assert console.error_of("sure") == "请先确认。"
    assert known(staff, person)
    console.fill("sure", number).done()
    console.page.wait_for_url("**/console#/members")
    assert not known(staff, person)
