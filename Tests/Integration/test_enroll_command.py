"""`yijia enroll`: a roster is tried first, and then enrolled."""

import csv
import subprocess

from people import People
from stubs import members

PEOPLE = People(series=13)
COLUMNS = (
    "person_name", "resident_id", "phone", "group", "work_area", "labour_relation",
    "consent_version", "consent_evidence", "consent_time")


def row(person, **changes):
    values = {
        "person_name": person.name, "resident_id": person.resident_id, "phone": person.phone,
        "group": "COURIER", "work_area": "130303001", "labour_relation": "NONE",
        "consent_version": "2026-01", "consent_evidence": "test",
        "consent_time": "2025-11-24T09:30:00+08:00"}
    return {**values, **changes}


def write(roster, rows, columns=COLUMNS):
    with roster.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def enrolled(suite, binaries, roster, *flags):
    done = subprocess.run(
        [binaries / "yijia", "enroll", "--by", "staff", *flags, "--connection",
         suite.folder / "connection.json", roster],
        capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_a_dry_run_says_what_would_become_of_each_row_and_stores_nothing(suite, binaries, tmp_path):
    people = [PEOPLE.next() for _ in range(3)]
    roster = tmp_path / "roster.csv"
    write(roster, [row(people[0]), row(people[1]), row(people[2], phone="12")])

    def enroll(*flags):
        return enrolled(suite, binaries, roster, *flags)

    def known():
        staff = suite.client("staff").members
        return [
            len(staff.ListMembers(
                members.ListMembersRequest(resident_id=person.resident_id)).members)
            for person in people]

    tried = enroll("--dry-run")
    assert "2 rows would be received, 1 refused" in tried
    assert "AREA_UNION" in tried
    assert "INVALID_PHONE" in tried
    assert known() == [0, 0, 0]
    assert "2 rows received, 1 refused" in enroll()
    assert known() == [1, 1, 0]


def test_of_a_corrected_file_what_was_received_before_is_a_retry(suite, binaries, tmp_path):
    people = [PEOPLE.next() for _ in range(4)]
    roster = tmp_path / "corrected.csv"
    rows = [row(person) for person in people]

    def applications():
        staff = suite.client("staff").members
        found = []
        for person in people:
            known = staff.ListMembers(
                members.ListMembersRequest(resident_id=person.resident_id)).members
            found.append(sum(
                part.HasField("application") for member in known
                for part in staff.ExportPersonalData(members.ExportPersonalDataRequest(
                    name=member.name, reason="integration test"))))
        return found

    wrong = dict(rows[1], phone="12")
    write(roster, [rows[0], wrong, rows[2]])
    assert "2 rows received, 1 refused" in enrolled(suite, binaries, roster)
    assert applications() == [1, 0, 1, 0]
    # The wrong row is mended, another one comes first, one is edited, and a column of notes is new.
    edited = dict(rows[2], work_area="130303002")
    corrected = [dict(one, note="x") for one in [rows[3], rows[1], rows[0], edited]]
    for _ in range(2):
        write(roster, corrected, (*COLUMNS, "note"))
        assert "4 rows received, 0 refused" in enrolled(suite, binaries, roster)
        assert applications() == [1, 1, 2, 1]
