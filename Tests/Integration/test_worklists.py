"""The worklists of `yijia`, as clerks work them off: each step by the command line."""

import csv
import datetime
import hashlib
import json

import pytest

from people import People
from processes import wait_until
from test_command_line import as_staff
from test_enroll_command import row, write

PEOPLE = People(series=18)
COLUMNS = (*row(PEOPLE.next()), "employer_name")
CHINA = datetime.timezone(datetime.timedelta(hours=8))
FOLD_SECONDS = 30


@pytest.fixture
def work(running, binaries):
    """Runs a command as staff, or as whom `--as` names; what it says."""
    def run(*arguments, status=0, text=""):
        return as_staff(running, binaries, *arguments, status=status, text=text)
    return run


@pytest.fixture
def enroll(work, tmp_path):
    """Enrolls as many people; their member numbers."""
    def run(count, area, **changes):
        people = [PEOPLE.next() for _ in range(count)]
        roster = tmp_path / "roster.csv"
        write(roster, [
            {"employer_name": "", **row(person, work_area=area, **changes)} for person in people],
            COLUMNS)
        work("enroll", roster, "--by", "staff")
        return people, [
            work("members", "find", text=person.resident_id).split()[1] for person in people]
    return run


def today():
    return datetime.datetime.now(CHINA).date()


def cells(line):
    return line.split("  ")


def test_a_unit_above_the_threshold_gets_a_union_with_its_people(work, enroll):
    work("regions", "set", "130303", "--unit-threshold", "2")
    _, numbers = enroll(2, "130303005", employer_name="山海关某运输公司")

    def listed():
        return work("units", "list", "--ancestor", "q-130303")

    unit = cells(wait_until(listed, FOLD_SECONDS, "the unit index"))
    assert unit[1:3] == ["TRIGGERED", "2 members"] and unit[6] == "山海关某运输公司\n"
    assert "UNIT_STATE" in work("units", "guide", unit[0], status=1)
    assert "  ASSIGNED  " in work("units", "assign", unit[0], "--to", "q-130303005")
    assert "  GUIDING  " in work("units", "guide", unit[0].split("/")[1])
    work(
        "organizations", "create", "--parent", "q-130303", "--display-name", "山海关某运输公司工会",
        "--kind", "ENTERPRISE_UNION", "--level", "BASIC", "--region-code", "130303",
        "--external-id", "some-company")
    union = cells(work("organizations", "approve", "some-company", "--as", "reviewer"))[1]
    formed = work("units", "form", unit[0], "--to", "some-company")
    assert "  UNION_FORMED  " in formed and f"2 members moved to {union}" in formed
    assert all(union in work("members", "show", number) for number in numbers)
    assert listed() == "" and unit[0] in work("units", "list", "--state", "UNION_FORMED")


def test_three_people_keep_the_away_ledger(work, enroll):
    _, (number,) = enroll(1, "130306001")
    days = ["--from", today(), "--until", today() + datetime.timedelta(days=200)]
    whereabouts = "新疆乌鲁木齐\n13909430000\n\n"
    refused = work(
        "away", "report", number, "--from", today(), "--until", today(), text="新\n12\n\n", status=1)
    assert all(field in refused for field in (
        "return_date", "details.destination", "details.contact"))
    reported = cells(work("away", "report", number, *days, text=whereabouts))
    name = reported[0]
    assert reported[1] == "REPORTED" and reported[2] == str(today())
    assert work("away", "list").startswith(f"{name}  REPORTED  ")
    assert "OWN_REPORT" in work("away", "file", name, status=1)
    assert "  RETURNED_FOR_FIX  " in work(
        "away", "send-back", name, "--note", "请补充流入地址", "--as", "reviewer")
    assert "  REPORTED  " in work("away", "fix", name, *days, text=whereabouts)
    assert "  FILED  " in work("away", "file", name, "--as", "reviewer")
    assert "  AWAY  " in work("away", "depart", name, "--on", today())
    drawn = work("away", "sample", "--count", "5", "--as", "checker")
    assert drawn.startswith(name) and "1 of 1 report; seed " in drawn
    assert "OWN_REPORT" in work("away", "check", name, "--result", "CONFIRMED", status=1)
    told = work("away", "reveal", name, "--reason", "电话抽查", "--as", "checker")
    assert "新疆乌鲁木齐" in told and "3909430000" in told
    assert work("away", "list", "--sampled").rstrip().endswith("to be checked")
    assert work(
        "away", "check", name, "--result", "CONFIRMED", "--as", "checker"
    ).rstrip().endswith("CONFIRMED")
    assert "  RETURNED  " in work("away", "return", name, "--on", today())
    assert work("away", "list") == ""


def test_a_round_says_whose_records_are_still_to_be_confirmed(work, enroll):
    _, numbers = enroll(3, "130321100")
    opened = cells(work(
        "refresh", "open", "--organization", "q-130321", "--due", today(), "--all"))
    name = opened[0]
    assert opened[5] == "3 stale" and work("refresh", "list").startswith(f"{name}  OPEN  ")
    records = work("refresh", "records", name).splitlines()
    assert {cells(record)[1] for record in records} == set(numbers)
    told = cells(work(
        "refresh", "reveal", numbers[0], "--round", name, "--reason", "季度核实"))
    assert told[0].startswith("members/") and told[2].startswith("+86")
    assert f"confirmed {today()}" in work("members", "confirm", numbers[0])
    assert "  UNREACHABLE  " in work("refresh", "unreachable", numbers[1], "--round", name)
    assert cells(work("refresh", "show", name))[5:8] == [
        "1 stale", "1 confirmed", "1 unreachable"]
    assert "  CONFIRMED  " in work("refresh", "records", name, "--state", "CONFIRMED")
    assert "  CLOSED  " in work("refresh", "close", name)
    assert work("refresh", "list") == "" and name in work("refresh", "list", "--closed")


def test_a_table_of_cases_is_dispatched_and_wrong_rows_come_back(work, enroll, tmp_path):
    work("regions", "set", "130322", "--rule", "HOLDING_POOL")
    enroll(2, "130322100")
    listed = work("pool", "list", "--ancestor", "q-130322", "--state", "WAITING").splitlines()
    first, second = (cells(line)[0] for line in listed)
    table, mend = tmp_path / "cases.csv", tmp_path / "mend.csv"
    table.write_text(
        f"周转编号,接收工会\n{first},q-130322100\n{second},nowhere\n{'0' * 32},q-130322100\n",
        encoding="utf-8")
    tried = work("pool", "dispatch", table, "--dry-run", status=2)
    assert "1 case would be assigned, 2 rows refused." in tried
    assert "q-130322100" in tried.split("receiver 接收工会")[1]
    assert work("pool", "list", "--receiver", "q-130322100") == ""
    told = work("pool", "dispatch", table, "--refused", mend, status=2)
    assert "1 case assigned, 2 rows refused." in told
    assert "row 3, 接收工会: No organization has this external id. (ORGANIZATION_NOT_FOUND)" in told
    assert "row 4: " in told and "(POOL_CASE_NOT_FOUND)" in told
    rows = list(csv.reader(mend.open(encoding="utf-8-sig")))
    assert [cell[0] for cell in rows] == ["周转编号", second, "0" * 32]
    assert first in work("pool", "list", "--receiver", "q-130322100")
    assert "(POOL_CASE_STATE)" in work("pool", "dispatch", table, status=2)
    custodian = cells(listed[0])[5]
    assert second in work("pool", "list", "--custodian", custodian, "--state", "WAITING")
    assert work("pool", "list", "--overdue") == ""
    assert "  WAITING  " in work("pool", "return", first, "--reason", "不在本区工作")
    table.write_text(
        f"pool_case,receiver\n{second},q-130322100\n{second},q-130322103\n", encoding="utf-8")
    assert "row 3 has the same case as row 2" in work("pool", "dispatch", table, "--dry-run")
    table.write_text("pool_case\n1\n", encoding="utf-8")
    assert "column receiver (接收工会) is missing" in work("pool", "dispatch", table, status=1)


def test_a_roster_is_compared_and_those_who_are_no_members_are_visited(work, enroll, tmp_path):
    people, _ = enroll(1, "130324100")
    stranger, listed = PEOPLE.next(), PEOPLE.next()
    digest = hashlib.sha256(listed.resident_id.encode()).hexdigest()
    roster, verdicts = tmp_path / "roster.csv", tmp_path / "verdicts.csv"
    roster.write_text(
        "身份证号,resident_id_sha256,姓名,单位名称,手机号\n"
        f"{people[0].resident_id},,{people[0].name},,\n"
        f"{stranger.resident_id},,{stranger.name},卢龙某物流公司,{stranger.phone}\n"
        f",{digest},{listed.name},卢龙某物流公司,{listed.phone}\n12,,,,\n", encoding="utf-8")
    visits = cells(work(
        "outreach", "create", "--display-name", "货运名册走访", "--means", "VISIT",
        "--organization", "q-130324"))[0]
    told = work(
        "roster", "compare", roster, "--purpose", "五月许可名册", "--list", visits,
        "--verdicts", verdicts)
    assert "2 rows added to the list." in told
    units = told.split("Units without a union")[1]
    assert "卢龙某物流公司" in units
    rows = list(csv.reader(verdicts.open(encoding="utf-8-sig")))
    assert [cell[-1] for cell in rows] == [
        "verdict", "MEMBER_HERE", "NOT_MEMBER", "NOT_MEMBER", "INVALID"]
    assert verdicts.stat().st_mode & 0o777 == 0o600
    entries = work("outreach", "entries", visits).splitlines()
    assert len(entries) == 2 and stranger.name not in "".join(entries)
    entry = cells(entries[0])[0]
    assert "卢龙某物流公司" in work("outreach", "reveal", entry, "--reason", "第一次走访")
    assert "  DECLINED  " in work("outreach", "record", entry, "--state", "DECLINED")
    assert len(work("outreach", "entries", visits).splitlines()) == 1
    assert "DECLINED 1" in work("outreach", "show", visits)
    assert "  CLOSED  " in work("outreach", "close", visits)


def test_a_membership_is_looked_up_changed_and_erased(work, enroll, tmp_path):
    (person, _), (number, other) = enroll(2, "130306101")
    assert person.name not in work("members", "show", number)
    assert f"{person.name}  {person.resident_id}" in work(
        "members", "reveal", number, "--reason", "电话核对")
    assert "member_number" in work("members", "show", "1", status=1)
    assert "the resident ID is empty" in work("members", "find", text="\n", status=1)
    assert "a member's number is empty" in work(
        "members", "leave", "", "--reason", "没有写编号", status=1)
    updated = work(
        "members", "update", number, "--group", "TRUCK_DRIVER", "--vehicle-plate", "冀C12345",
        "--driver-license", "b2", "--labour-relation", "CLEAR", "--new-form-worker", "true",
        "--reason", "换了工作")
    assert "  TRUCK_DRIVER  " in updated
    assert number in work("members", "list", "--ancestor", "q-130306", "--group", "TRUCK_DRIVER")
    asked = work(
        "corrections", "request", number, "--phone", "--reason", "换了号码", text="13903350999\n")
    correction = cells(work("corrections", "list"))
    assert asked.startswith(correction[0]) and correction[5] == "139****0999\n"
    assert "  ACCEPTED  " in work(
        "corrections", "accept", correction[0], "--reason", "当面核对", "--as", "reviewer")
    assert "13903350999" in work("members", "reveal", number, "--reason", "电话核对")
    retained = ["members", "retain", number, "--reason", "五月退休", "--cause"]
    assert "did you mean RETIRED?" in work(*retained, "RETIERD", status=64)
    assert "  RETAINED  " in work(*retained, "RETIRED")
    assert "  ACTIVE  " in work("members", "restore", number, "--reason", "返聘上岗")
    assert "  LEFT  " in work("members", "leave", number, other, "--reason", "本人书面申请")
    steps = [cells(line)[2] for line in work("members", "log", number).splitlines()]
    assert steps[0] == "JOINED" and steps[-3:] == ["RETAINED", "RESTORED", "LEFT"]
    assert work("members", "honors", number) == ""
    file = tmp_path / "person.json"
    work("members", "export", number, "--reason", "本人书面申请", "--to", file)
    parts = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert parts[0]["record"]["residentId"] == person.resident_id
    details = parts[0]["record"]["details"]
    assert details["driverLicense"] == "B2" and details["newFormWorker"] is True
    assert details["labourRelation"] == "LABOUR_RELATION_CLEAR"
    assert "migrantWorker" not in details, "what is not named stays"
    assert file.stat().st_mode & 0o777 == 0o600
    work("members", "erase", number, "--reason", "本人书面申请")
    assert "no member that you see" in work("members", "find", text=person.resident_id)


def test_an_organization_is_changed_covered_and_its_codes_are_revoked(work):
    assert "  海港区快递业工会联合会" in work(
        "organizations", "update", "q-couriers", "--display-name", "海港区快递业工会联合会")
    work("organizations", "cover", "q-couriers", "--organization", "q-tongda")
    covered = work("organizations", "list", "--covered-by", "q-couriers")
    assert covered.startswith("q-tongda  ") and covered.count("\n") == 1
    work("organizations", "uncover", "q-couriers", "--organization", "q-tongda")
    assert work("organizations", "list", "--covered-by", "q-couriers") == ""
    assert "  SUSPENDED  " in work(
        "organizations", "suspend", "q-couriers", "--reason", "换届选举")
    assert "  ACTIVE  " in work("organizations", "resume", "q-couriers")
    text = work(
        "organizations", "code", "q-couriers", "--channel", "ON_SITE_CEREMONY", "--campaign",
        "春季入会", "--accepts-transfers").splitlines()[0]
    code = cells(work("organizations", "codes", "q-couriers"))
    assert code[1:3] == ["ON_SITE_CEREMONY", "春季入会"]
    found, scanned, actions = work("organizations", "resolve", text).splitlines()
    assert found.startswith("q-couriers  ") and scanned.startswith(f"{code[0]}  ")
    assert actions == "QUERY  JOIN"
    assert "  REVOKED  " in work("organizations", "revoke", code[0])
    assert work("organizations", "codes", "q-couriers") == ""
    assert code[0] in work("organizations", "codes", "q-couriers", "--ended")
    assert "CODE_REVOKED" in work("organizations", "resolve", text, status=1)


def test_the_help_says_from_when_figures_count(work):
    told = " ".join(work("statistics", "enrollments", "--help").split())
    assert "[default: from the beginning]" in told


def test_bases_and_targets_are_set_and_shown(work):
    assert work(
        "statistics", "set-base", "q-130302", "--group", "COURIER", "--people", "400",
        "--qualifier", "余", "--source", "海港区总工会", "--on", "2026-01-01"
    ).rstrip().endswith("  COURIER  400余  2026-01-01  海港区总工会")
    assert "  95.00 %  " in work(
        "statistics", "set-target", "q-130302", "--group", "COURIER", "--percent", "95")
    assert "400余" in work("statistics", "bases", "q-130302")
    shown = work(
        "statistics", "coverage", "--organization", "qinhuangdao", "--group", "COURIER")
    assert "400余" in shown
    own = work("statistics", "coverage", "--organization", "q-130302", "--group", "COURIER")
    assert "400余" in own.split("total 合计")[1]
    assert "--percent is more than 0" in work(
        "statistics", "set-target", "q-130302", "--percent", "101", status=64)


def test_transfers_are_requested_for_members_and_withdrawn(work, enroll):
    _, (number,) = enroll(1, "130304001")
    asked = work("transfers", "request", number, "--to", "q-130304101", "--reason", "窗口代办")
    assert "  REQUESTED  " in asked
    assert "  CANCELLED  " in work(
        "transfers", "cancel", cells(asked)[0], "--reason", "本人撤回")
    assert work("rerouting", "preview", "--ancestor", "q-130304") == ""
