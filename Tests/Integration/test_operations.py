"""What operators do, by the command line on real executables: backups, keys, audit, counters; and
the way from one machine to PostgreSQL with replicas, as README.md tells it."""

import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request

import grpc
import pytest

from contracts import refusal
from people import People, enrollment
from processes import ROOT, Child, wait_until
from stubs import members
from suite import Ports

PEOPLE = People(series=11)


@pytest.fixture(scope="module")
def told(suite):
    """What callers told the suite before anything else happens, and what they got."""
    client = suite.client("partner").members
    people = [PEOPLE.next() for _ in range(60)]
    requests = [enrollment(person) for person in people]
    return people, [(request, client.SubmitEnrollment(request)) for request in requests]


def yijia(suite, *arguments, ok=True):
    """Runs the command line; its output."""
    done = subprocess.run(
        [suite.binaries / "yijia", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
        timeout=120)
    output = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, f"{arguments}: {done.returncode}\n{output}"
    return output


def config(suite, name="members"):
    return suite.folder / f"{name}.yaml"


def change(file, pattern, replacement):
    text, count = re.subn(pattern, replacement, file.read_text(), count=1)
    assert count == 1, f"{pattern} in {file}"
    file.write_text(text)


class Enrolling:
    """Enrolls in the background; every acknowledged person is kept."""

    def __init__(self, suite):
        self.client, self.people, self.stop = suite.client("partner").members, [], threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stop.is_set():
            person = PEOPLE.next()
            try:
                self.client.SubmitEnrollment(enrollment(person))
                self.people.append(person)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.people, what="the first enrollment")
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def is_member(suite, person):
    return len(suite.members_of(suite.client("staff"), person.resident_id)) == 1


def found_in(folder, people):
    """Identities that stand in clear in files of a folder."""
    files = [file for file in pathlib.Path(folder).rglob("*") if file.is_file()]
    assert files
    secrets = [text.encode() for person in people
               for text in (person.resident_id, person.phone, person.name)]
    return [(file.name, secret) for file in files for content in [file.read_bytes()]
            for secret in secrets if secret in content]


def test_files_show_no_identity_and_no_phone(suite, told):
    people, _ = told
    assert (suite.folder / "data/members.sqlite-wal").stat().st_size > 0
    assert found_in(suite.folder / "data", people) == []


def test_the_running_service_verifies_its_audit_log(suite, told):
    heads = suite.folder / "heads.json"
    output = yijia(suite, "audit", "verify", "--config", config(suite), "--note", heads)
    assert output.startswith("intact: ")
    assert json.loads(heads.read_text())[0]["sequence"] >= 60
    yijia(suite, "audit", "verify", "--config", config(suite), "--against", heads)
    # Another workload than the operator may not ask.
    tls = suite.folder / "tls"
    refused = yijia(suite, "keys", "apply", "--config", config(suite), "--certificate",
                    tls / "stations.crt", "--key", tls / "stations.key", ok=False)
    assert "CALLER_KIND" in refused


def test_a_second_process_is_refused_the_file(suite, told):
    child = Child([suite.binaries / "yijia-members", "--config", config(suite), "--migrate"],
                  suite.folder / "logs/second.log")
    assert child.wait(30) != 0
    assert "another process owns the store" in child.output


def test_counters_equal_a_recount(suite, told):
    for name in ("members", "stations"):
        assert "every counter" in yijia(
            suite, "statistics", "recount", "--config", config(suite, name))


def test_metrics_say_how_far_the_feed_s_consumers_are(suite, told):
    def shown():
        url = f"http://127.0.0.1:{suite.ports.admin['members']}/metrics"
        text = subprocess.run(
            ["curl", "-s", "--http2-prior-knowledge", url], check=True, capture_output=True,
            text=True, timeout=10).stdout
        return ('feed_lag_events{consumer="services/stations"} 0' in text
                and 'feed_lag_seconds{consumer="services/stations"} 0' in text)

    wait_until(shown, 30, "the lag of stations", step=0.5)


def page(suite, name, path):
    """Status and text of a page of a service's admin port."""
    try:
        url = f"http://127.0.0.1:{suite.ports.admin[name]}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


@pytest.mark.parametrize("name", ["members", "stations", "gateway"])
def test_admin_pages_say_how_it_stands_and_which_pages_there_are(suite, name):
    for path in ("/health", "/healthz", "/ready"):
        assert page(suite, name, path) == (200, "serving\n")
    status, text = page(suite, name, "/nothing")
    assert status == 404 and "/health\n/metrics\n" in text
    metrics = page(suite, name, "/metrics")[1]
    assert 'yijia_build_info{version="' in metrics
    described = set(re.findall(r"^# HELP (\S+) ", metrics, re.MULTILINE))
    assert set(re.findall(r"^# TYPE (\S+) ", metrics, re.MULTILINE)) == described


@pytest.mark.parametrize("name", ["members", "stations", "gateway"])
def test_a_check_opens_every_file_that_a_start_opens(suite, name):
    def check(file):
        done = subprocess.run(
            [suite.binaries / f"yijia-{name}", "--config", file, "--check"], cwd=ROOT,
            capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    assert check(config(suite, name)) == (0, f"{config(suite, name)}: good\n")
    wrong, other = suite.folder / f"wrong-{name}.yaml", suite.folder / "tls/operator.key"
    text = config(suite, name).read_text()
    for old, new, said in [
            (f"tls/{name}.key", "tls/none.key", "none.key: No such file"),
            (f"tls/{name}.key", "tls/operator.key", f"{other}: it is not the key of"),
            (f"{name}-fields.keyring", "none.keyring", "none.keyring can't be opened: No such"),
            ("keys/caller-token.", "keys/none.", "the key file cannot be read"),
            (f"data/{name}.sqlite", "none/x.sqlite", "none: No such file")]:
        assert old in text
        wrong.write_text(text.replace(old, new))
        status, output = check(wrong)
        assert status != 0 and said in output, output
        assert "Domain=" not in output and "failedToLoad" not in output, output
    wrong.write_text("listem: 1\n" + text.replace(f"tls/{name}.key", "tls/none.key").replace(
        "keys/caller-token.", "keys/none."))
    status, output = check(wrong)
    assert status != 0
    for said in ("listem: unknown key", "none.key: No such file", "the key file cannot be read"):
        assert said in output, output


@pytest.mark.parametrize("name", ["members", "stations"])
def test_sighup_reads_the_log_level_anew_and_never_ends_a_service(suite, name):
    child, file = suite.children[name], config(suite, name)
    before = file.read_text()

    def told(said):
        seen = child.output.count(said)
        child.send(signal.SIGHUP)
        wait_until(lambda: child.output.count(said) > seen, what=said)

    told("were read anew")
    file.write_text(before.replace("service:\n", "service:\n  log_level: debug\n", 1))
    told("were read anew")
    file.write_text("service: {listen: nowhere}\n")
    told("the configuration is refused, the one before stays")
    file.write_text(before)
    told("were read anew")
    assert child.is_running
    wait_until(lambda: page(suite, name, "/health")[0] == 200, what="it still serves")


def test_a_feed_through_the_gateway_ends_at_once_when_it_stops(suite, told):
    events = suite.client("partner").members.WatchMemberEvents(members.WatchMemberEventsRequest())
    next(events)
    suite.children["gateway"].send(signal.SIGTERM)
    with pytest.raises(grpc.RpcError) as ended:
        for _ in events:
            pass
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    answer = refusal(ended.value)
    assert answer.reason == "SHUTTING_DOWN" and answer.retry_seconds == 1
    assert suite.children["gateway"].wait(30) == 0
    suite.start("gateway")


def test_keys_rotate_beside_the_work_and_through_a_kill(suite, told):
    people, calls = told
    for ring in ("fields", "hashes"):
        assert "key 2 added" in yijia(
            suite, "keys", "add", "--config", config(suite), "--keyring", ring)
    with Enrolling(suite) as enrolling:
        apply = subprocess.Popen(
            [suite.binaries / "yijia", "keys", "apply", "--config", config(suite)], cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        suite.kill("members")
        apply.wait(30)
        suite.start("members")
        output = yijia(suite, "keys", "apply", "--config", config(suite))
    assert "fields: key 1 is needed" in output and "remembered replies" in output
    wait_until(lambda: _up(suite), what="members after the kill")
    assert all(is_member(suite, person) for person in people[:5] + enrolling.people[-5:])
    # The hashes' older key goes, the fields' stays for the remembered replies.
    assert "1 older removed" in yijia(suite, "keys", "retire", "--config", config(suite))
    rings = [(suite.folder / f"keys/members-{name}.keyring").read_text().splitlines()[1:]
             for name in ("fields", "hashes")]
    assert [len(ring) for ring in rings] == [2, 1]
    suite.restart("members")
    wait_until(lambda: _up(suite), what="members after the restart")
    assert is_member(suite, people[0])
    request, reply = calls[0]
    wait_until(lambda: _same(suite, request, reply), what="the first reply")


def _same(suite, request, reply):
    try:
        return suite.client("partner").members.SubmitEnrollment(request) == reply
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False


def test_a_backup_under_load_is_restored_elsewhere_and_its_consumers_notice(suite, told):
    people, _ = told
    backup, data = suite.folder / "backup", suite.folder / "data"
    with Enrolling(suite) as before:
        acknowledged = list(before.people)
        yijia(suite, "backup", "create", "--config", config(suite), "--to", backup)
    assert "is there already" in yijia(
        suite, "backup", "create", "--config", config(suite), "--to", backup, ok=False)
    assert "sound" in yijia(suite, "backup", "verify", backup)
    assert found_in(backup, people) == []
    restored = suite.folder / "elsewhere/members.sqlite"
    yijia(suite, "backup", "restore", backup, "--to", restored)
    assert "is there already" in yijia(
        suite, "backup", "restore", backup, "--to", restored, ok=False)
    assert [file.name for file in restored.parent.iterdir()] == [restored.name]
    # The service goes on with the restored store; stations reads its feed anew.
    suite.stop("members")
    change(config(suite), str(data / "members.sqlite"), str(restored))
    suite.start("members")
    wait_until(lambda: _up(suite), what="members")
    assert all(is_member(suite, person) for person in people + acknowledged)
    log = suite.folder / "logs/stations.log"
    wait_until(lambda: "the members' feed failed" in log.read_text(), what="the new epoch noticed")
    consumer = "SELECT epoch FROM storage_consumer WHERE consumer = 'stations/members'"
    epoch = "SELECT value FROM storage_meta WHERE name = 'epoch'"
    wait_until(lambda: _value(data / "stations.sqlite", consumer) == _value(restored, epoch),
               what="stations on the restored feed")
    # Damage is found.
    with open(backup / "store.sqlite", "r+b") as file:
        file.seek(5_000)
        file.write(b"x")
    assert "not what was backed up" in yijia(suite, "backup", "verify", backup, ok=False)
    assert "not what was backed up" in yijia(
        suite, "backup", "restore", backup, "--to", suite.folder / "third", ok=False)


def test_a_store_of_before_a_rotation_is_refused_with_the_keys_of_after_it(suite, told):
    people, _ = told
    ring = suite.folder / "keys/members-hashes.keyring"
    earlier = ring.read_text()
    backup, restored = suite.folder / "earlier", suite.folder / "again/deeper/members.sqlite"
    assert "hashes 2" in yijia(
        suite, "backup", "create", "--config", config(suite), "--to", backup)
    yijia(suite, "keys", "add", "--config", config(suite), "--keyring", "hashes")
    yijia(suite, "keys", "apply", "--config", config(suite))
    assert "1 older removed" in yijia(suite, "keys", "retire", "--config", config(suite))
    suite.restart("members")
    wait_until(lambda: _up(suite), what="members with the keys of today")
    # What a running service would not open, it does not take up either.
    today = ring.read_text()
    ring.write_text(earlier)
    assert "lacks key 3 of hashes" in yijia(
        suite, "keys", "apply", "--config", config(suite), ok=False)
    ring.write_text(today)
    assert "lacks key 2 of hashes" in yijia(
        suite, "backup", "restore", backup, "--to", restored, "--config", config(suite), ok=False)
    assert "hashes 2" in yijia(suite, "backup", "restore", backup, "--to", restored)
    suite.stop("members")
    change(config(suite), r"sqlite:[^\"]*", f"sqlite:{restored}")
    refused = Child([suite.binaries / "yijia-members", "--config", config(suite)],
                    suite.folder / "logs/refused.log")
    assert refused.wait(30) != 0
    assert "lacks key 2 of hashes" in refused.output
    assert "lacks key 2 of hashes" in yijia(
        suite, "audit", "verify", "--config", config(suite), ok=False)
    ring.write_text(earlier)
    suite.start("members")
    wait_until(lambda: _up(suite), what="members with the keys of then")
    assert is_member(suite, people[0])


def _value(store, query):
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchone()[0]


def _up(suite):
    try:
        suite.client("staff").members.ListMembers(members.ListMembersRequest(page_size=1))
    except grpc.RpcError:
        return False
    return True


def test_tampering_with_a_stopped_store_is_located(suite, told):
    suite.stop("members")
    store = re.search(r'sqlite:([^"]+)', config(suite).read_text()).group(1)
    copy = suite.folder / "tampered.sqlite"
    shutil.copy(store, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE storage_audit SET actor = 'nobody' WHERE sequence = 7")
    output = yijia(suite, "audit", "verify", "--database", f"sqlite:{copy}", ok=False)
    assert re.search(r"row 7: altered", output)
    # The stopped service's own store is opened by the command itself.
    assert "intact" in yijia(suite, "audit", "verify", "--config", config(suite))
    suite.start("members")


class Province:
    """The suite's data on PostgreSQL, two replicas of members behind the gateway."""

    def __init__(self, suite, server):
        self.suite, (self.folder, self.url) = suite, server
        self.replica = config(suite, "members-2")
        self.ports = Ports()

    def store(self, name):
        return f"{self.url}?options=-csearch_path%3D{name}"

    def move(self):
        """As README.md says; what the commands said."""
        suite = self.suite
        suite.stop("gateway", "stations", "members")
        outputs = []
        for name in ("members", "stations", "gateway"):
            file = config(suite, name)
            source = re.search(r'database: "([^"]+)"', file.read_text()).group(1)
            change(file, r'database: "[^"]+"', f'database: "{self.store(name)}"')
            # Two at the same moment: each migration is applied once.
            both = [Child([suite.binaries / f"yijia-{name}", "--config", file, "--migrate"],
                          suite.folder / f"logs/migrate-{name}-{turn}.log") for turn in range(2)]
            assert [child.wait(60) for child in both] == [0, 0], both[0].tail() + both[1].tail()
            outputs.append(
                yijia(suite, "data", "move", "--from", source, "--to", self.store(name)))
        return outputs

    def start(self):
        suite = self.suite
        text = config(suite).read_text()
        for kind, ports in (("listen", self.ports.listen), ("admin", self.ports.admin)):
            text = re.sub(rf"({kind}: {{host: [^,]+, port: )\d+", rf"\g<1>{ports['members']}", text)
        self.replica.write_text(text)
        port = suite.ports.listen["members"]
        change(suite.gateway_file, rf'\["127.0.0.1:{port}"\]',
               f'["127.0.0.1:{port}", "127.0.0.1:{self.ports.listen["members"]}"]')
        suite.start("members", "stations")
        self.start_replica()
        suite.start("gateway")

    def start_replica(self):
        self.suite.children["members-2"] = Child(
            [self.suite.binaries / "yijia-members", "--config", self.replica],
            self.suite.folder / "logs/members-2.log")
        from suite import serves
        wait_until(lambda: serves(self.suite.children["members-2"], self.ports.admin["members"]),
                   30, "the second replica")


def test_a_suite_moves_to_postgresql_with_replicas(suite, told, server):
    people, calls = told
    province = Province(suite, server)
    cursor_request = members.WatchMemberEventsRequest(stop_at_end=True)
    seen = list(suite.client("partner").members.WatchMemberEvents(cursor_request))
    outputs = province.move()
    assert all("the same" in output for output in outputs)
    province.start()
    wait_until(lambda: _up(suite), what="members")
    # Nothing is lost, feeds go on, the first reply to a request id is still the first.
    assert all(is_member(suite, person) for person in people)
    cursor_request.cursor = seen[-1].cursor
    partner = suite.client("partner").members
    assert list(partner.WatchMemberEvents(cursor_request)) == []
    request, reply = calls[0]
    assert partner.SubmitEnrollment(request) == reply
    # Both replicas take enrollments; one is killed, the other goes on, and both are one registry.
    with Enrolling(suite) as enrolling:
        wait_until(lambda: len(enrolling.people) > 20, what="enrollments")
        suite.children["members-2"].kill()
        count = len(enrolling.people)
        wait_until(lambda: len(enrolling.people) > count + 20, what="enrollments on one replica")
        province.start_replica()
        count = len(enrolling.people)
        wait_until(lambda: len(enrolling.people) > count + 20, what="enrollments on both again")
    assert all(is_member(suite, person) for person in enrolling.people)
    twin = PEOPLE.next()
    twins = [partner.SubmitEnrollment.future(enrollment(twin)) for _ in range(20)]
    assert len({future.result().enrollment.name for future in twins}) == 20
    assert is_member(suite, twin)
    assert "every counter" in yijia(suite, "statistics", "recount", "--config", config(suite))
    for name in ["members", "members-2"]:
        assert "intact" in yijia(suite, "audit", "verify", "--config", config(suite, name))
    yijia(suite, "keys", "apply", "--config", config(suite, "members-2"))
    assert found_in(province.folder / "data", people + enrolling.people) == []
    _backup_of_the_server(suite, province, people)
    _newer_stores_are_refused(suite, province)


def _backup_of_the_server(suite, province, people):
    backup, data = province.folder / "backup", province.folder / "restored"
    yijia(suite, "backup", "create", "--config", config(suite), "--to", backup)
    assert "sound" in yijia(suite, "backup", "verify", backup)
    manifest = json.loads((backup / "manifest.json").read_text())
    assert manifest["auditHeads"] and manifest["keys"], "read from the service's store"
    yijia(suite, "backup", "restore", backup, "--to", data)
    # In a place of its own, beside the first.
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "postgres", data], check=True)
    socket = province.folder
    command = ["-D", data, "-w", "-t", "60", "-l", socket / "restored.log"]
    options = f"-c port=5999 -c listen_addresses= -c unix_socket_directories={socket}"
    _pg_ctl("start", *command, "-o", options)
    try:
        url = f"postgres://yijia@/postgres?host={socket}&port=5999&options=-csearch_path%3Dmembers"
        assert "new name" in yijia(suite, "backup", "adopt", "--database", url)
        assert "intact" in yijia(suite, "audit", "verify", "--database", url)
    finally:
        _pg_ctl("stop", *command, "-m", "immediate")
    with open(backup / "base/PG_VERSION", "ab") as file:
        file.write(b"x")
    yijia(suite, "backup", "verify", backup, ok=False)


def _pg_ctl(action, *arguments):
    program = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1]
    runner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*runner, program, action, *map(str, arguments)], check=True, cwd="/",
                   stdout=subprocess.DEVNULL, timeout=90)


def _newer_stores_are_refused(suite, province):
    suite.stop("members")
    command = ["psql", "-q", province.url, "-c"]
    subprocess.run(
        [*command, "INSERT INTO members.storage_migration VALUES "
         "('service', 99, '0099 from the future', '', 0)"], check=True)
    child = Child([suite.binaries / "yijia-members", "--config", config(suite)],
                  suite.folder / "logs/newer.log")
    assert child.wait(30) != 0
    assert "newer than this program: migration 0099 from the future" in child.output
    subprocess.run([*command, "DELETE FROM members.storage_migration WHERE position = 99"],
                   check=True)
