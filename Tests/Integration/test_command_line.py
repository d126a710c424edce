"""`yijia` as people use it: what is wrong is said in a sentence, and the daily work is there."""

import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import subprocess
import time

import pytest

from processes import ROOT, free_port
from suite import Ports


def run(binaries, *arguments, status=1, environment=None, text=""):
    """Runs the command line; its output."""
    done = subprocess.run(
        [binaries / "yijia", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
        timeout=60, input=text, env={**os.environ, "LANG": "C.UTF-8", **(environment or {})})
    output = done.stdout + done.stderr
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{output}"
    return output


def connection(suite, tmp_path, **changes):
    """The suite's connection file with other values; None takes one away."""
    values = {**suite.connection, **changes}
    file = tmp_path / "connection.json"
    file.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    return file


# Where there is no gateway

def test_a_command_without_a_gateway_says_so_and_ends(running, binaries, tmp_path):
    file = connection(running, tmp_path, gateway=f"localhost:{free_port()}")
    told = run(binaries, "partners", "list", "--connection", file)
    assert "connection refused" in told and "does the suite run" in told


def test_a_command_names_a_host_that_nobody_knows(running, binaries, tmp_path):
    file = connection(running, tmp_path, gateway="gateway.invalid:8443")
    assert "gateway.invalid" in run(binaries, "partners", "list", "--connection", file)


def test_a_command_says_that_the_certificate_is_of_another_authority(running, binaries, tmp_path):
    run(binaries, "dev", "--prepare", "--data", tmp_path / "other", status=0)
    file = connection(running, tmp_path, ca_file=str(tmp_path / "other/tls/authority.crt"))
    told = run(binaries, "partners", "list", "--connection", file)
    assert "certificate is of no authority" in told and "ca_file" in told
    # Nor is it of one of the system's.
    file = connection(running, tmp_path, ca_file=None)
    assert "certificate is of no authority" in run(
        binaries, "partners", "list", "--connection", file)


def test_a_gateway_may_have_any_name_that_its_certificate_has(running, binaries, tmp_path):
    port = running.connection["gateway"].split(":")[1]
    file = connection(running, tmp_path, gateway=f"127.0.0.1:{port}")
    run(binaries, "partners", "list", "--connection", file, status=0)
    file = connection(running, tmp_path, gateway=f"127.0.0.1:{port}", server_name="localhost")
    run(binaries, "partners", "list", "--connection", file, status=0)


def test_a_connection_file_needs_only_what_the_command_uses(running, binaries, tmp_path):
    file = tmp_path / "connection.json"
    known = running.connection
    said = {key: known[key] for key in ("gateway", "ca_file", "staff_token")}
    file.write_text(json.dumps(said))
    run(binaries, "partners", "list", "--connection", file, status=0)
    told = run(binaries, "partners", "list", "--as", "reviewer", "--connection", file)
    assert "reviewer_token" in told
    del said["gateway"]
    file.write_text(json.dumps(said))
    assert f"{file}: gateway is missing" in run(binaries, "partners", "list", "--connection", file)


# yijia dev

def test_a_second_dev_in_a_folder_is_refused_and_changes_nothing(running, binaries):
    configuration = running.folder / "gateway.yaml"
    before = configuration.read_text()
    told = run(
        binaries, "dev", "--idle", "--once", environment=Ports().environment(running.folder))
    assert f"pid {running.child.pid}" in told and "--data" in told
    assert configuration.read_text() == before


def test_dev_names_a_folder_that_cannot_be_made(binaries, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", "/proc/nothing"):
        told = run(binaries, "dev", "--prepare", "--data", folder)
        assert f"{folder}: the folder cannot be made: " in told and "Error" not in told


def test_dev_names_the_ports_that_are_taken(running, binaries, tmp_path):
    taken = {**running.ports.environment(tmp_path / "second")}
    told = run(binaries, "dev", "--idle", "--once", environment=taken)
    port = running.ports.listen["members"]
    assert f"port {port} is in use (by yijia-members, pid " in told and "--members-port" in told
    with socket.create_server(("127.0.0.1", free_port())) as server:
        port = server.getsockname()[1]
        free = Ports().environment(tmp_path / "third")
        told = run(
            binaries, "dev", "--idle", "--once",
            environment={**free, "YIJIA_STATIONS_PORT": str(port)})
        assert f"port {port} is in use" in told and "--stations-port" in told


# Tables that are not sent

ROSTER = "person_name,resident_id,phone,group,consent_version,consent_evidence,consent_time"
ROW = "张三,,,COURIER,1,x,2025-11-24T09:30:00+08:00"


@pytest.mark.parametrize("text, told", [
    (f"{ROSTER},labor_relation\n{ROW},NONE\n", ["labor_relation", "did you mean labour_relation?"]),
    (f"{ROSTER},phone\n{ROW},1\n", ["column phone is there more than once"]),
    (f"{ROSTER}\n{ROW},x\n", ["row 2 has 8 cells, and the header 7"]),
    (f"{ROSTER}\n\n{ROW.rpartition(',')[0]}\n", ["row 3 has 6 cells"]),
    (f"{ROSTER}\n{ROW}\n\"{ROW}\n{ROW}\n", ["row 3: a quotation mark opens a cell"]),
    (f"{ROSTER}\n{ROW}x\"\n", ["row 2: a cell with a quotation mark"]),
    ("姓名,phone\n张三,1\n", ["column resident_id (身份证号) is missing"]),
    ("姓名,手机号码\n张三,1\n", ["column \"手机号码\" is unknown; did you mean 手机号?"]),
    ("", ["is empty"]),
])
def test_a_table_that_is_not_sure_is_refused_before_anything_is_sent(
        binaries, tmp_path, text, told):
    roster = tmp_path / "roster.csv"
    roster.write_text(text, encoding="utf-8")
    said = run(binaries, "enroll", roster)
    assert all(part in said for part in [str(roster), *told]), said


def test_a_table_is_not_read_whose_refused_rows_could_not_be_kept(binaries, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text(f"{ROSTER}\n{ROW}\n", encoding="utf-8")
    (tmp_path / "link.csv").symlink_to(roster)
    for file, told in [
            (roster, "--refused is the file that is read"),
            (tmp_path / "link.csv", "--refused is the file that is read"),
            (tmp_path / "nowhere/mend.csv", "cannot be written"), (tmp_path, "is not a file")]:
        for command in ("enroll", "import", "pool dispatch"):
            assert told in run(binaries, *command.split(), roster, "--refused", file)
    assert roster.read_text(encoding="utf-8") == f"{ROSTER}\n{ROW}\n"


def test_a_roster_without_anybodys_identity_is_not_compared(binaries, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("姓名,手机号\n张三,13900000000\n", encoding="utf-8")
    assert "resident_id (身份证号) or resident_id_sha256" in run(
        binaries, "roster", "compare", roster, "--purpose", "a test")


# In Chinese

CHINESE = {"LC_ALL": "zh_CN.UTF-8"}


@pytest.mark.parametrize("text, told", [
    (f"{ROSTER},labor\n{ROW},NONE\n", "没有“labor”这一列；加上 --ignore \"labor\" 可跳过它"),
    ("姓名,手机号码\n张三,1\n", "没有“手机号码”这一列；是否应为 手机号？"),
    ("姓名,phone\n张三,1\n", "缺少“身份证号”列（resident_id）"),
    (f"{ROSTER}\n{ROW},x\n", "第 2 行有 8 格，表头有 7 格"),
    (f"{ROSTER}\n\"{ROW}\n", "第 2 行：有一格以双引号开头，却没有以双引号结尾"),
    ("", "没有内容"),
])
def test_a_chinese_terminal_is_told_in_chinese_what_is_wrong_with_a_table(
        binaries, tmp_path, text, told):
    roster = tmp_path / "roster.csv"
    roster.write_text(text, encoding="utf-8")
    assert told in run(binaries, "enroll", roster, environment=CHINESE)


def test_a_chinese_terminal_is_told_of_refused_rows_by_the_headings_of_the_file(
        running, binaries, tmp_path):
    tree = tmp_path / "tree.csv"
    tree.write_text(
        "外部编号,上级外部编号,名称,类型,层级,地区代码,接收个人\n"
        "a1,qinhuangdao,甲公司工会,ENTERPRISE_UNION,BASIC,130302,也许\n", encoding="utf-8")
    told = run(
        binaries, "import", "--connection", running.folder / "connection.json", tree, status=2,
        environment=CHINESE)
    assert "已保存 0 个组织，1 行被退回。" in told
    assert "第 2 行，接收个人：应为 true 或 false、是或否。（INVALID_VALUE）" in told


def test_an_import_refuses_what_it_does_not_understand(running, binaries, tmp_path):
    tree = tmp_path / "tree.csv"
    tree.write_text(
        "external_id,parent_external_id,display_name,kind,level,region_code,takes_individuals\n"
        "a1,qinhuangdao,甲公司工会,ENTERPRISE_UNION,BASIC,130302,maybe\n"
        "a2,qinhuangdao,乙公司工会,ENTERPRISE,BASIC,130302,是\n", encoding="utf-8")
    told = run(
        binaries, "import", "--connection", running.folder / "connection.json", tree, status=2)
    assert "0 organizations stored, 2 rows refused" in told
    assert "row 2, takes_individuals: Say true or false." in told
    assert "row 3, kind: Say one of REGIONAL_FEDERATION" in told


# Organizations and figures

def as_staff(running, binaries, *arguments, status=0, text=""):
    return run(
        binaries, *arguments, "--connection", running.folder / "connection.json", status=status,
        text=text)


def test_organizations_are_found_and_named_by_their_external_ids(running, binaries, tmp_path):
    listed = as_staff(running, binaries, "organizations", "list").splitlines()
    county = next(line.split() for line in listed if line.startswith("qinhuangdao "))
    below = as_staff(running, binaries, "organizations", "list", "--parent", "qinhuangdao")
    assert 0 < len(below.splitlines()) < len(listed)
    assert all("HOLDING_POOL" in line for line in as_staff(
        running, binaries, "organizations", "list", "--kind", "HOLDING_POOL").splitlines())
    found = as_staff(running, binaries, "organizations", "find", "货车司机")
    assert "qinhuangdao-trucks" in found
    assert "is called nothing" in as_staff(
        running, binaries, "organizations", "find", "nothing", status=1)
    of_city = [
        as_staff(running, binaries, "organizations", "export", "--ancestor", name)
        for name in ("qinhuangdao", county[1], county[1].split("/")[1])]
    assert of_city[0] == of_city[1] == of_city[2] != ""
    assert "nowhere: no organization" in as_staff(
        running, binaries, "organizations", "code", "nowhere", status=1)
    code = tmp_path / "code.svg"
    as_staff(running, binaries, "organizations", "code", "qinhuangdao-trucks", "--svg", code)
    assert code.read_bytes().startswith(b"<")


def test_a_code_is_not_issued_that_could_not_be_kept(running, binaries):
    told = as_staff(
        running, binaries, "organizations", "code", "qinhuangdao-trucks", "--png",
        "/nowhere/code.png", status=1)
    assert told == "/nowhere/code.png: cannot be written; is its folder there?\n"


def test_figures_come_as_a_table_and_as_a_file(running, binaries, tmp_path):
    shown = as_staff(
        running, binaries, "statistics", "enrollments", "--organization", "qinhuangdao")
    assert "total" in shown
    file = tmp_path / "figures.csv"
    as_staff(running, binaries, "statistics", "enrollments", "--csv", file)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    told = as_staff(running, binaries, "statistics", "enrollments", "--csv", "-")
    assert told.splitlines() == file.read_text().splitlines()


def test_the_coverage_of_the_organizations_below_one_comes_as_a_table_and_as_a_file(
        running, binaries, tmp_path):
    shown = as_staff(
        running, binaries, "statistics", "coverage", "--organization", "qinhuangdao")
    assert "海港区总工会" in shown and "Coverage 覆盖率" in shown
    file = tmp_path / "coverage.csv"
    as_staff(
        running, binaries, "statistics", "coverage", "--organization", "qinhuangdao", "--csv", file)
    rows = file.read_text(encoding="utf-8-sig").splitlines()
    assert rows[0].startswith("organization,organization_name,day,group,members,online_members")
    assert rows[1].startswith("qinhuangdao,秦皇岛市总工会,") and len(rows) > 5


# What waits for somebody

def test_a_region_approves_first_and_staff_work_off_what_waits(running, binaries, tmp_path):
    def work(*arguments, status=0):
        return as_staff(running, binaries, *arguments, status=status)

    assert "regionSettings/340300  HOLDING_POOL > EMPLOYER_UNION" in work("regions", "list")
    refused = work("regions", "set", "130304", "--rule", "AREA_UNION", status=1)
    assert "settings.rules: HOLDING_POOL must be among them" in refused
    changed = work(
        "regions", "set", "130304", "--rule", "HOLDING_POOL", "--rule", "AREA_UNION",
        "--approve-first", "true", "--transfer-days", "9")
    assert changed == (
        "regionSettings/130304  HOLDING_POOL > AREA_UNION  approve first  pool 15 d  "
        "transfers 9 d  units 25\n")
    assert work("regions", "show", "130304") == changed
    assert work("enrollments", "list") == ""
    roster = tmp_path / "roster.csv"
    header, row = (ROOT / "examples/ceremony-roster.csv").read_text().splitlines()[:2]
    roster.write_text(f"{header}\n{row.replace('130302005', '130304001')}\n", encoding="utf-8")
    work("enroll", roster, "--by", "staff")
    waiting = work("enrollments", "list", "--ancestor", "qinhuangdao")
    assert waiting.count("\n") == 1 and "  PENDING  " in waiting
    assert "  ADMITTED  " in work("enrollments", "approve", waiting.split()[0])
    assert work("enrollments", "list") == ""
    case = work("pool", "list", "--ancestor", "qinhuangdao").split()[0]
    assert "  ASSIGNED  " in work("pool", "assign", case, "--to", "q-130304001")
    assert "  CONFIRMED  " in work("pool", "confirm", case)
    assert work("pool", "list", "--ancestor", "qinhuangdao") == ""
    assert work("transfers", "list") == "" and work("duplicates", "list") == ""
    assert "TRANSFER_NOT_FOUND" in work("transfers", "accept", "0" * 32, status=1)
    assert "Unknown option '--to'" in work(
        "transfers", "accept", "x", "--to", "y", status=64)


@pytest.mark.parametrize("words", [
    ["organizations", "update", "qinhuangdao"], ["staff", "update", "0" * 32, "--reason", "a test"],
])
def test_a_change_of_nothing_says_where_to_look(running, binaries, words):
    assert "nothing is named that is to change; --help" in as_staff(
        running, binaries, *words, status=1)


def test_each_wrong_field_has_a_line_of_its_own(running, binaries):
    told = as_staff(
        running, binaries, "regions", "set", "130300", "--pool-days", "0", "--unit-threshold", "1",
        status=1)
    assert told == (
        "INVALID_ARGUMENT (INVALID_FIELDS): 2 wrong fields\n"
        "  settings.pool_days: 1 to 365.\n  settings.unit_threshold: 2 to 100000.\n")
    told = run(
        binaries, "regions", "set", "130300", "--pool-days", "0", "--connection",
        running.folder / "connection.json", environment=CHINESE)
    assert told == (
        "INVALID_ARGUMENT (INVALID_FIELDS): 有 1 个字段有误\n  settings.pool_days: 应为 1 至 365。\n")
    assert "A member number has 11 digits" in as_staff(
        running, binaries, "members", "show", "1234567890", status=1)


def test_a_person_s_data_replace_a_file_and_nothing_else(running, binaries, tmp_path):
    lines = (ROOT / "examples/ceremony-roster.csv").read_text().splitlines()
    roster = tmp_path / "roster.csv"
    roster.write_text(f"{lines[0]}\n{lines[2]}\n", encoding="utf-8")
    as_staff(running, binaries, "enroll", roster, "--by", "staff")
    person = as_staff(running, binaries, "members", "list").split()[0]

    def export(to, status=0):
        return as_staff(
            running, binaries, "members", "export", person, "--reason", "asked for", "--to", to,
            status=status)

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    assert "is not a file" in export(folder, status=1)
    assert (folder / "kept").read_text() == "kept"
    assert "is not a file" in export("/dev/null", status=1)
    file, link = tmp_path / "person.json", tmp_path / "link.json"
    file.write_text("of before")
    link.symlink_to(file)
    export(link)
    assert link.is_symlink() and '"record"' in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.draft"))


@pytest.mark.parametrize("line", ["uot CODE", "out", "CODE CODE", "out CODE CODE"])
def test_a_line_that_is_no_visit_reports_nothing(running, binaries, line):
    told = as_staff(running, binaries, "report", text=f"-\n{line}\n-\n", status=1)
    assert "line 2: a code, -, or out CODE is expected; no visit was reported" in told


def test_staff_without_a_partner_s_key_is_told_how_to_enroll(running, binaries, tmp_path):
    file = connection(running, tmp_path, partner_api_key=None)
    roster = tmp_path / "roster.csv"
    roster.write_text(f"{ROSTER}\n{ROW}\n", encoding="utf-8")
    assert "--by staff" in run(binaries, "enroll", roster, "--connection", file)


# Accounts of staff

def digits(secret):
    """What an authenticator shows (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start:start + 4])[0] & 0x7fffffff) % 1_000_000:06}"


def test_a_clerk_signs_in_chooses_a_password_and_works(running, binaries, tmp_path):
    made = as_staff(
        running, binaries, "staff", "create", "li.si", "--display-name", "李四", "--role",
        "ADMINISTRATOR")
    temporary = [line for line in made.splitlines() if "  " not in line and " " not in line][0]
    mine, where = tmp_path / "li.si.json", running.folder / "connection.json"

    def sign_in(*lines, status=0):
        return run(
            binaries, "sign-in", "li.si", "--connection", where, "--to", mine, status=status,
            text="\n".join(lines) + "\n")

    assert "SIGN_IN_REFUSED" in run(
        binaries, "sign-in", "nobody", "--connection", where, "--to", mine, text="a password\n")
    assert not mine.exists()
    told = sign_in(temporary, "a password of my own")
    assert "signed in as staff/" in told
    assert mine.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(mine.read_text())) == {"gateway", "ca_file", "staff_token"}

    def as_me(*arguments, status=0, text=""):
        return run(binaries, *arguments, "--connection", mine, status=status, text=text)

    # Two people: one founds, the other approves.
    founded = as_me(
        "organizations", "create", "--parent", "qinhuangdao", "--display-name", "四方货运公司工会",
        "--kind", "ENTERPRISE_UNION", "--level", "BASIC", "--region-code", "130302",
        "--external-id", "four-sides")
    assert "PREPARING" in founded
    assert "APPROVER_IS_AUTHOR" in as_me("organizations", "approve", "four-sides", status=1)
    assert "ACTIVE" in as_staff(
        running, binaries, "organizations", "approve", "four-sides", "--as", "reviewer")
    as_me("password", text="a password of my own\nanother one of my own\n")
    asked = subprocess.Popen(
        [binaries / "yijia", "authenticator", "--connection", mine], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with asked:
        asked.stdin.write("another one of my own\n")
        asked.stdin.flush()
        secret = asked.stdout.readline().strip()
        assert asked.stdout.readline().startswith("otpauth://")
        asked.stdin.write(digits(secret) + "\n")
        asked.stdin.flush()
        assert "counts from now on" in asked.stdout.read()
    assert asked.returncode == 0
    as_me("sign-out")
    assert "UNAUTHENTICATED" in as_me("organizations", "list", status=1)
    assert "ended" in sign_in("another one of my own", status=1)


# Words that are not known

@pytest.mark.parametrize("words, told", [
    (["enrol", "x"], "yijia: there is no command enrol; did you mean enroll?"),
    (["partner", "list"], "yijia: there is no command partner; did you mean partners?"),
    (["organizations", "exprot"], "did you mean export?"),
    (["staff", "create", "a.b", "--display-name", "x", "--role", "CLARK"],
     "one of VIEWER, CLERK, ADMINISTRATOR; did you mean CLERK?"),
    (["staff", "create", "a.b", "--display-name", "x", "--role", "ADMINISTRATOR",
      "--organization", ""], "--organization is empty"),
    (["partners", "usage", "partners/1", "--date", "yesterday"], "a day is written as 2026-11-21"),
    (["partners", "usage", "partners/1", "--date", "yesterday"], "Usage: yijia partners usage"),
    (["partners", "keys", "create", "1", "--expires", "soon"], "Usage: yijia partners keys create"),
])
def test_a_word_that_is_not_known_is_answered_with_those_that_are(binaries, words, told):
    assert told in run(binaries, *words, status=64)


@pytest.mark.parametrize("words, told", [
    (["--from", "x.sqlite", "--to", "postgres://x"], "--from is sqlite:PATH"),
    (["--from", "sqlite:x", "--to", "sqlite:y"], "--to is postgres://"),
])
def test_a_store_is_moved_from_sqlite_to_postgresql_only(binaries, tmp_path, words, told):
    assert told in run(binaries, "data", "move", *words, status=64)
