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


def enrolled(suite, binaries, roster, *flags, status=0, text=None):
    """What the command says; status 2 is that some rows were refused."""
    done = subprocess.run(
        [binaries / "yijia", "enroll", "--by", "staff", *flags, "--connection",
         suite.folder / "connection.json", roster],
        capture_output=True, text=True, timeout=60, input=text)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_dry_run_says_what_would_become_of_each_row_and_stores_nothing(suite, binaries, tmp_path):
    people = [PEOPLE.next() for _ in range(3)]
    roster = tmp_path / "roster.csv"
    write(roster, [row(people[0]), row(people[1]), row(people[2], phone="12")])

    def enroll(*flags):
        return enrolled(suite, binaries, roster, *flags, status=2)

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
    assert "2 rows received, 1 refused" in enrolled(suite, binaries, roster, status=2)
    assert applications() == [1, 0, 1, 0]
    # The wrong row is mended, another one comes first, one is edited, and a column of notes is new.
    edited = dict(rows[2], work_area="130303002")
    corrected = [dict(one, note="x") for one in [rows[3], rows[1], rows[0], edited]]
    for _ in range(2):
        write(roster, corrected, (*COLUMNS, "note"))
        assert "4 rows received, 0 refused" in enrolled(
            suite, binaries, roster, "--ignore", "note")
        assert applications() == [1, 1, 2, 1]


def known(suite, person):
    return suite.client("staff").members.ListMembers(
        members.ListMembersRequest(resident_id=person.resident_id)).members


def test_a_value_that_is_not_understood_refuses_its_row(suite, binaries, tmp_path):
    people = [PEOPLE.next() for _ in range(4)]
    roster = tmp_path / "words.csv"
    write(roster, [
        row(people[0], migrant_worker="是", new_form_worker="yes", driver_license="a2、d"),
        row(people[1], migrant_worker="maybe", driver_license="A9"),
        row(people[2], consent_time="2025-11-24"), row(people[3], group="COURRIER", phone="1"),
    ], (*COLUMNS, "migrant_worker", "new_form_worker", "driver_license"))
    mend = tmp_path / "mend.csv"
    told = enrolled(suite, binaries, roster, "--refused", mend, status=2)
    assert "1 row received, 3 refused" in told
    assert "row 3, migrant_worker: Say true or false. (INVALID_VALUE)" in told
    assert "(INVALID_LICENSE)" in told
    assert "row 4, consent_time: Write a time with its zone" in told
    assert "agree_time" not in told
    assert "row 5, group: Say one of TRUCK_DRIVER" in told
    assert "row 5, phone: A mobile number" in told
    assert [len(known(suite, person)) for person in people] == [1, 0, 0, 0]
    told = suite.client("staff").members.ExportPersonalData(members.ExportPersonalDataRequest(
        name=known(suite, people[0])[0].name, reason="integration test"))
    [sent] = [part.application.application for part in told if part.HasField("application")]
    assert sent.migrant_worker and sent.new_form_worker and sent.driver_license == "A2D"
    # The file of the refused rows is a roster, once it is mended.
    with mend.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for one, columns in zip(
            rows, [["migrant_worker", "driver_license"], ["consent_time"], ["group", "phone"]]):
        assert all(f"{column}: " in one["problem"] for column in columns)
    mended = [
        dict(one, migrant_worker="否", driver_license="", group="COURIER", phone=person.phone,
             consent_time="2025-11-24T09:30:00+08:00")
        for one, person in zip(rows, people[1:])]
    write(mend, mended, list(mended[0]))
    assert "3 rows received, 0 refused" in enrolled(suite, binaries, mend)
    assert [len(known(suite, person)) for person in people] == [1, 1, 1, 1]


def test_tables_as_spreadsheets_write_them_are_read(suite, binaries, tmp_path):
    people = [PEOPLE.next() for _ in range(2)]
    headings = dict(person_name="姓名", resident_id="身份证号", phone="手机号", group="群体")
    names = [headings.get(name, name) for name in COLUMNS]
    rows = [list(row(person).values()) for person in people]
    lines = [*map(";".join, [names, rows[0]]), ";;;;;;;;", "", ";".join(rows[1]) + ";;",
             ";".join(rows[0])]
    text = "\ufeff" + "\r\n".join(lines)
    told = enrolled(suite, binaries, "-", "--dry-run", text=text)
    assert "3 rows would be received, 0 refused" in told
    assert "row 6 says the same as row 2" in told
