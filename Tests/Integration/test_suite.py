"""`yijia dev`, which is `make run`: the main job, the second start, Ctrl-C."""

import os
import re
import signal
import urllib.request

import pytest

from clients import is_serving
from processes import descendants, exists, wait_until
from stubs import members, stations
from suite import SERVICES, DevelopmentSuite

# The rows of examples/ceremony-roster.csv that are wrong on purpose: (column, reason).
WRONG_ROWS = {
    ("person_name", "INVALID_NAME"), ("person_name", "REQUIRED"),
    ("resident_id", "INVALID_ID"), ("resident_id", "ID_OBSOLETE"),
    ("resident_id", "UNDER_AGE"), ("resident_id", "REQUIRED"),
    ("phone", "INVALID_PHONE"), ("phone", "REQUIRED"),
    ("group", "INVALID_VALUE"), ("group", "REQUIRED"),
    ("channel", "INVALID_VALUE"),
    ("work_area", "UNKNOWN_REGION"), ("campaign", "TOO_LONG"),
    ("consent_version, consent_evidence, consent_time", "REQUIRED"),
    ("consent_evidence", "REQUIRED"),
    ("consent_time", "IN_FUTURE"),
    ("employer_credit_code", "INVALID_CREDIT_CODE"),
}
FIGURES = {"truck driver": 465, "courier": 115, "rider": 55, "total": 635}


def figures(output):
    """The members column of the table of groups."""
    return {
        name: int(re.search(rf"^{name} .*?(\d+)\s*$", output, re.MULTILINE)[1])
        for name in FIGURES}


def visits(output):
    """(visits, of members, unmatched, anonymous, unique, set aside) of the only day and point."""
    row = re.search(r"^\S+司机之家\s+\d+-\d+-\d+((?:\s+\d+){6})\s*$", output, re.MULTILINE)
    return [int(number) for number in row[1].split()]


@pytest.fixture(scope="module")
def fresh(folder, binaries):
    """A suite of which nothing is there yet."""
    suite = DevelopmentSuite(folder / "fresh", binaries)
    try:
        yield suite
    finally:
        suite.close()


@pytest.fixture(scope="module")
def first_output(fresh):
    return fresh.once()


def test_the_first_run_enrolls_the_ceremony_of_635(first_output):
    assert figures(first_output) == FIGURES


def test_refused_rows_are_listed_with_every_reason(first_output):
    told = first_output.split("Refused rows", 1)[1]
    lines = re.findall(r"^row (\d+), ([\w, ]+): \S.* \(([A-Z_]+)\)$", told, re.MULTILINE)
    assert {(column, reason) for _, column, reason in lines} == WRONG_ROWS
    rows = [row for row, _, _ in lines]
    assert max(map(rows.count, rows)) >= 3, "no row with several wrong fields"
    refused = int(re.search(r"(\d+) refused", first_output)[1])
    assert refused == len(set(rows)) == 25


def test_the_first_run_reports_visits(first_output):
    assert visits(first_output) == [52, 40, 0, 12, 40, 0]


def test_a_second_run_goes_on_with_the_data_and_doubles_nobody(fresh, first_output):
    output = fresh.once()
    assert figures(output) == FIGURES
    # The kiosk's further visits of the same 40 members are counted, the members only once.
    assert visits(output) == [104, 80, 0, 24, 40, 0]


@pytest.mark.parametrize("to", ["process", "group"])
def test_ctrl_c_stops_all_children_cleanly(fresh, first_output, to):
    """To the process alone, and to its whole group as a terminal sends it."""
    fresh.start("--idle", own_group=True)
    children = descendants(fresh.child.pid)
    assert len(children) == len(SERVICES)
    if to == "group":
        os.killpg(fresh.child.pid, signal.SIGINT)
    else:
        fresh.child.send(signal.SIGINT)
    assert fresh.child.wait(30) == 0
    assert not [pid for pid in children if exists(pid)]
    assert "stopped" in fresh.child.output


def test_a_service_that_dies_ends_the_suite_with_its_last_words(fresh, first_output):
    fresh.start("--idle")
    children = descendants(fresh.child.pid)
    victim = next(
        pid for pid in children
        if b"yijia-stations" in open(f"/proc/{pid}/cmdline", "rb").read())
    os.kill(victim, signal.SIGKILL)
    assert fresh.child.wait(30) != 0
    assert "yijia-stations ended" in fresh.child.output
    assert not [pid for pid in children if exists(pid)]


def test_every_executable_says_that_it_serves(dev):
    assert set(dev.connection["admin_ports"]) == set(SERVICES)
    for name, port in dev.connection["admin_ports"].items():
        wait_until(lambda: is_serving(port), what=f"{name} serving")


def test_a_scraper_that_speaks_http_1_reads_the_metrics_of_every_executable(dev):
    for port in dev.connection["admin_ports"].values():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
            assert page.status == 200
            assert "version=0.0.4" in page.headers["content-type"]
            assert b"process_resident_memory_bytes" in page.read()


def test_the_connection_file_has_what_a_client_needs(dev):
    connection = dev.connection
    assert set(connection) == {
        "gateway", "ca_file", "partner_api_key", "kiosk_api_key", "kiosk", "station",
        "staff_token", "reviewer_token", "checker_token", "proto_root", "admin_ports"}
    assert oct((dev.folder / "connection.json").stat().st_mode & 0o777) == "0o600"
    point = dev.client("kiosk").stations.GetPoint(
        stations.GetPointRequest(name=connection["station"])).point
    assert point.state == stations.POINT_STATE_OPEN


def test_no_personal_data_of_the_roster_is_on_disk_in_the_clear(dev):
    """Names, numbers and phones are encrypted at rest, and no log holds them."""
    dev.client("staff").members.ListMembers(members.ListMembersRequest(page_size=1_000))
    needles = [text.encode() for text in ("邓艳静", "130302196802070015", "13903350001")]
    for part in ("data", "logs"):
        for file in (dev.folder / part).glob("*"):
            content = file.read_bytes()
            found = [needle.decode() for needle in needles if needle in content]
            assert not found, f"{file.name} holds {found}"
