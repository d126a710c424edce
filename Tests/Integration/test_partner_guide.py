"""docs/partners.md as a partner's engineer follows it: Python, curl and Swift enroll people, follow
what becomes of them, and are told every wrong field."""

import json
import os
import subprocess
import sys

import pytest
from google.protobuf import json_format

from conftest import ROOT
from people import People, application, request_id

EXAMPLE = ROOT / "examples" / "partner"
PEOPLE = People(series=14)


def program(language, binaries):
    return {
        "python": [sys.executable, EXAMPLE / "partner.py"],
        "curl": [EXAMPLE / "partner.sh"],
        "swift": [binaries / "partner"],
    }[language]


@pytest.fixture(params=["python", "curl", "swift"])
def partner(request, suite, binaries):
    """Runs a command of the example; its lines."""
    command = [*program(request.param, binaries), suite.folder / "connection.json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(*arguments):
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=100, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    run.language = request.param
    return run


def write(file, count, **wrong):
    """So many new people as the guide's file has them; the last one with wrong fields."""
    records = []
    for row in range(1, count + 1):
        changes = wrong if row == count else {}
        person = json_format.MessageToDict(application(PEOPLE.next(), **changes))
        records.append({"requestId": request_id(), "row": row, "application": person})
    file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
    return file


def test_people_are_enrolled_one_by_one_and_a_wrong_field_is_named(partner, tmp_path):
    people = write(tmp_path / "people.ndjson", 3, phone="12", resident_id="1")
    lines = partner("enroll", people)
    assert sum("enrollments/" in line for line in lines) == 2
    assert sum("application.phone" in line for line in lines) == 1
    assert sum("application.resident_id" in line for line in lines) == 1
    assert partner("enroll", people) == lines, "a repeated run is a retry"


def test_many_are_enrolled_as_a_stream_and_followed(partner, suite, tmp_path):
    people = write(tmp_path / "people.ndjson", 1_200, phone="12")
    lines = partner("stream", people)
    assert sum("INVALID" in line for line in lines) == 1, lines[-5:]
    if partner.language != "python":
        assert sum("enrollments/" in line for line in lines) == 1_199
    if partner.language == "python":
        return  # It follows for ever: below.
    followed = partner("follow")
    assert sum("enrollments/" in line for line in followed) >= 1_199
    cursor = followed[-1].split()[-1]
    assert partner("follow", cursor) == [], "nothing happened since"


def test_python_follows_for_as_long_as_it_runs(suite, binaries, tmp_path):
    people = write(tmp_path / "people.ndjson", 2)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*program("python", binaries), suite.folder / "connection.json"]
    subprocess.run([*command, "stream", people], env=environment, timeout=60, check=True)
    with subprocess.Popen(
            [*command, "follow"], stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout.readline().startswith("enrollments/")
        finally:
            child.kill()


def test_the_guides_own_file_is_understood(partner):
    lines = partner("enroll", EXAMPLE / "people.ndjson")
    assert sum("enrollments/" in line for line in lines) == 2
    assert sum("application." in line for line in lines) == 2
