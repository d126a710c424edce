"""docs/partners.md as a partner's engineer follows it: Python, curl and Swift enroll people, follow
what becomes of them, and are told every wrong field."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from conftest import ROOT
from people import People, application, request_id

EXAMPLE = ROOT / "examples" / "partner"
PEOPLE = People(series=14)
# The guide's ten thousand take minutes in a debug build.
MANY = int(os.environ.get("YIJIA_GUIDE_PEOPLE", "1200"))


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

    def run(*arguments, connection=None, status=0):
        line = [*command[:-1], connection or command[-1], *arguments]
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=100 + MANY // 20, env=environment)
        assert done.returncode == status, done.stdout + done.stderr
        if request.param == "curl" and status == 0:
            assert not done.stderr, "what was repeated is no error"
        return (done.stderr if status else done.stdout).splitlines()

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
    resident_id = "application." + ("residentId" if partner.language == "curl" else "resident_id")
    refused = [line for line in lines if "application.phone: " in line]
    assert len(refused) == 1 and f"{resident_id}: " in refused[0], lines
    assert partner("enroll", people) == lines, "a repeated run is a retry"


def test_many_are_enrolled_as_a_stream_and_followed(partner, suite, tmp_path):
    people = write(tmp_path / "people.ndjson", MANY, phone="12")
    lines = partner("stream", people)
    assert sum("INVALID" in line for line in lines) == 1, lines[-5:]
    if partner.language != "python":
        assert sum("enrollments/" in line for line in lines) == MANY - 1
    if partner.language == "python":
        return  # It follows for ever: below.
    followed = partner("follow")
    assert sum("enrollments/" in line for line in followed) >= MANY - 1
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
    assert sum("application." in line for line in lines) == 1


@pytest.mark.parametrize("command", ["enroll", "stream"])
def test_a_file_that_is_not_there_or_not_understood_is_named(partner, tmp_path, command):
    if partner.language == "curl":
        return  # curl and jq say so, each with a status of its own.
    told = "\n".join(partner(command, tmp_path / "none.ndjson", status=1))
    assert "none.ndjson" in told and "Traceback" not in told, told
    file = write(tmp_path / "people.ndjson", 1)
    file.write_text(file.read_text() + "\n{\n")
    told = partner(command, file, status=1)
    assert told[-1].startswith("line 3: ") and "Traceback" not in "".join(told), told
    told = "\n".join(partner(command, file, connection=tmp_path / "none.json", status=1))
    assert "none.json" in told and "Traceback" not in told, told


def test_rows_are_told_apart_that_have_no_number(partner, tmp_path):
    if partner.language == "curl":
        return  # It sends the file as it is.
    file = write(tmp_path / "people.ndjson", 3, phone="12")
    file.write_text(re.sub(r'"row": \d+, ', "", file.read_text()))
    told = partner("stream", file)
    assert any(line.startswith("row 3: ") for line in told), told
    if partner.language == "swift":
        assert sum("enrollments/" in line for line in told) == 2


class Failed(grpc.RpcError):
    """An error of a call, with the RetryInfo that it states."""

    def __init__(self, code, seconds=None):
        self._code = code
        self._status = status_pb2.Status(code=code.value[0])
        if seconds is not None:
            asked = error_details_pb2.RetryInfo()
            asked.retry_delay.FromNanoseconds(int(seconds * 1e9))
            self._status.details.add().Pack(asked)

    def code(self):
        return self._code

    def trailing_metadata(self):
        return [("grpc-status-details-bin", self._status.SerializeToString())]


@pytest.mark.parametrize("code, asked, pause", [
    ("RESOURCE_EXHAUSTED", 0.25, 0.25), ("RESOURCE_EXHAUSTED", 30_000, None),
    ("RESOURCE_EXHAUSTED", None, None), ("UNAVAILABLE", 1, 1), ("UNAVAILABLE", None, 2),
    ("INVALID_ARGUMENT", None, None),
], ids=["rate", "quota", "size", "down", "unreachable", "wrong"])
def test_a_call_is_repeated_only_where_that_is_of_use(code, asked, pause):
    spec = importlib.util.spec_from_file_location("partner", EXAMPLE / "partner.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.pause(Failed(getattr(grpc.StatusCode, code), asked), 1) == pause


class Told:
    """partner.sh with a curl that answers as told, and a sleep that only notes its seconds."""

    CURL = """#!/bin/sh
count=$(($(cat "$TOLD/count") + 1))
echo $count > "$TOLD/count"
cat "$TOLD/$count.body"
exit "$(cat "$TOLD/$count.status")"
"""

    def __init__(self, folder, answers):
        self.folder = folder
        for name, text in (
            ("curl", self.CURL), ("sleep", '#!/bin/sh\necho "$1" >> "$TOLD/slept"\n'),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        for name, text in (("count", "0"), ("slept", ""), ("connection.json", "{}")):
            (folder / name).write_text(text)
        for index, answer in enumerate(answers, 1):
            status, body = answer if isinstance(answer, tuple) else (0, answer)
            (folder / f"{index}.body").write_text(body)
            (folder / f"{index}.status").write_text(str(status))

    def run(self, *arguments):
        """Status and lines of a command, and the seconds that it waited."""
        done = subprocess.run(
            [EXAMPLE / "partner.sh", self.folder / "connection.json", *arguments],
            capture_output=True, text=True, timeout=60,
            env={**os.environ, "TOLD": str(self.folder),
                 "PATH": os.pathsep.join([str(self.folder), os.environ["PATH"]])})
        waited = [float(line) for line in (self.folder / "slept").read_text().split()]
        return done.returncode, done.stdout.splitlines(), waited


def stated(code, delay=None):
    """An error in JSON, with the RetryInfo that it states."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return json.dumps({"code": code, "message": "told so", "details": [info] if delay else []})


ENROLLED = json.dumps({"enrollment": {"name": "enrollments/1"}})


@pytest.mark.parametrize("answers, status, waits", [
    ([stated(8, "0.250s"), ENROLLED], 0, [0.25]),
    ([stated(14, "1s"), ENROLLED], 0, [1]),
    ([stated(10), stated(4), ENROLLED], 0, [1, 2]),
    ([(7, ""), (56, '{"enrollm'), ENROLLED], 0, [1, 2]),
    ([stated(8, "30000s")], 1, []),
    ([stated(8)], 1, []),
    ([stated(6)], 1, []),
    ([stated(13)], 1, []),
    ([stated(14)] * 6, 1, [1, 2, 4, 8, 16]),
    ([(60, "")], 60, []),
], ids=["rate", "down", "open", "broken", "quota", "size", "reused", "internal", "long", "trust"])
def test_curl_repeats_a_call_only_where_that_is_of_use(tmp_path, answers, status, waits):
    people = write(tmp_path / "people.ndjson", 2)
    told = Told(tmp_path, [ENROLLED, *answers])
    lines = ["enrollments/1"] * (1 if status else 2)
    assert told.run("enroll", people) == (status, lines, waits)


@pytest.mark.parametrize("command", ["stream", "follow"])
def test_curl_repeats_a_stream_that_broke_off_and_prints_each_answer_once(tmp_path, command):
    answers = {
        "stream": [{"row": str(row), "enrollment": {"name": "enrollments/1"}} for row in (1, 2)],
        "follow": [{"enrollmentChanged": {"enrollment": "enrollments/1", "state": "X"},
                    "cursor": cursor} for cursor in "AB"],
    }[command]
    first, second = (json.dumps({"result": answer}) + "\n" for answer in answers)
    told = Told(tmp_path, [
        first + json.dumps({"error": json.loads(stated(14, "2s"))}) + "\n", (92, first),
        stated(8, "1s"), first + second])
    status, lines, waits = told.run(
        command, *([write(tmp_path / "people.ndjson", 2)] if command == "stream" else []))
    assert (status, len(lines), waits) == (0, 2, [2, 2, 1]), lines
    assert all("enrollments/1" in line for line in lines)
    told = Told(tmp_path, [first + json.dumps({"error": json.loads(stated(3))}) + "\n"])
    status, lines, waits = told.run(command, tmp_path / "people.ndjson")
    assert (status, len(lines), waits) == (1, 1, []), "what was answered before is told"


@pytest.fixture(scope="module")
def limited(suite):
    """The connection of a partner that may call each method every other second."""
    suite._add_partner("narrow_partner")
    text = suite.gateway_file.read_text()
    suite.gateway_file.write_text(text.replace(
        "    name: narrow_partner\n",
        "    name: narrow_partner\n    limits: [{calls_per_second: 0.5, burst: 1}]\n", 1))
    suite.restart("gateway")
    about = json.loads((suite.folder / "connection.json").read_text())
    file = suite.folder / "narrow.json"
    file.write_text(json.dumps({**about, "partner_api_key": suite._secrets["narrow_partner"]}))
    return file


def test_who_calls_too_often_waits_and_gets_through(partner, limited, tmp_path):
    people = write(tmp_path / "people.ndjson", 3)
    lines = partner("enroll", people, connection=limited)
    assert sum("enrollments/" in line for line in lines) == 3, lines
    for _ in range(2):
        lines = partner("stream", people, connection=limited)
        if partner.language == "python":
            assert lines == ["done, 0 refused"]
        else:
            assert sum("enrollments/" in line for line in lines) == 3, lines
    if partner.language != "python":  # It follows for ever.
        for _ in range(2):
            assert len(partner("follow", connection=limited)) >= 3


@pytest.mark.parametrize("command", ["enroll", "stream", "follow"])
def test_a_wrong_key_ends_the_program_with_the_error(partner, suite, tmp_path, command):
    about = json.loads((suite.folder / "connection.json").read_text())
    wrong = tmp_path / "connection.json"
    wrong.write_text(json.dumps({**about, "partner_api_key": "no-such-key"}))
    arguments = [] if command == "follow" else [EXAMPLE / "people.ndjson"]
    told = partner(command, *arguments, connection=wrong, status=1)
    assert len(told) == 1 and "The caller is not proven" in told[0], told


def test_a_wrong_cursor_ends_the_program_with_the_error(partner):
    told = partner("follow", "BADCURSOR", status=1)
    assert len(told) == 1 and "did not give the cursor" in told[0], told


@pytest.mark.parametrize("page", ["partners.md", "partners.zh-CN.md"])
def test_the_guides_own_lines_work_as_they_stand(suite, binaries, tmp_path, page):
    """In a folder that looks like the repository after `make run`, with the built `swift run`."""
    guide = (ROOT / "docs" / page).read_text()
    stubs = re.search(r"```\n(mkdir -p stubs\n.*?)```", guide, re.S).group(1)
    others = re.findall(r"`((?:examples/partner/partner\.sh|swift run partner) [^`]+)`", guide)
    assert len(others) == 2
    for name in ("proto", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".dev").symlink_to(suite.folder)
    tools = tmp_path / "tools"
    tools.mkdir()
    swift = tools / "swift"
    swift.write_text(f'#!/bin/sh\n[ "$1" = run ] || exit 2\nshift\nexec {binaries}/"$@"\n')
    swift.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(tools), environment["PATH"]])
    for script in (stubs, *others):
        done = subprocess.run(
            ["bash", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=100)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("enrollments/") == 2, done.stdout
