"""A power cut, as far as it can be imitated: SIGKILL keeps what the kernel holds, a cut does not.

The members service works on SQLite, or on a PostgreSQL server that makes checkpoints all the time,
while every write and fsync of the store's files is recorded. Then the files are made again as a cut
at many moments would have left them: what was synced is there; of what was written since, nothing,
all, or some pages and a torn one. From each, SQLite or another start of the server recovers to a
sound store that holds every enrollment that was acknowledged before. YIJIA_POWER_CUTS sets how many
moments; PostgreSQL, which takes a second or two to recover, gets a quarter of them.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import threading
import time
import typing

import grpc
import pytest

from disk import SYNC, Disk, records
from images import FATES, Images, put
from people import People, enrollment
from processes import exists, wait_until
from stores import Files, PrivateServer
from suite import Suite
from tally import report, tally
from test_crash import Aftermath
from workload import EXPECTED, RETRY_SECONDS

ENGINES = os.environ.get("YIJIA_CRASH_ENGINES", "sqlite postgres").split()
CUTS = int(os.environ.get("YIJIA_POWER_CUTS", "60"))
SEED = int(os.environ.get("YIJIA_CRASH_SEED", random.SystemRandom().randrange(1 << 30)))
WRITERS, EACH = 16, 40
CHECKPOINT_SECONDS = 0.3
IDS = "SELECT id FROM enrollments"
pytestmark = pytest.mark.timeout(CUTS * 20 + 600)


class File:
    """A store in a file: the service writes it, and SQLite says what is in it."""

    most_cuts = CUTS

    def __init__(self, folder):
        self.stores = Files(folder)
        self.folder, self.base = self.stores.folder, folder / "base"

    def begin(self, suite, environment):
        """From now on changes are recorded; `base` is what was there before."""
        suite.stop("members")
        shutil.copytree(self.folder, self.base)
        suite.environment["members"] = environment
        suite.start("members")

    def work(self):
        return contextlib.nullcontext()

    def end(self):
        pass

    def recovered(self):
        """(whether the store is sound, the identifiers of its enrollments)"""
        path = self.folder / "members.sqlite"
        try:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                [(answer,)] = connection.execute("PRAGMA integrity_check").fetchall()
                return answer == "ok", {row[0] for row in connection.execute(IDS)}
        except (sqlite3.DatabaseError, ValueError):
            return False, set()


class Server:
    """A store in a server: the server writes it, and says after another start what is in it."""

    most_cuts = (CUTS + 3) // 4
    # Every index beside its table, and every table; a page that is torn fails its checksum.
    CHECKS = (
        "CREATE EXTENSION IF NOT EXISTS amcheck",
        """DO $$ BEGIN PERFORM bt_index_check(c.oid, true) FROM pg_class c
           JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relkind = 'i'; END $$""",
        """SELECT c.relname, v.msg FROM pg_class c, verify_heapam(c.oid) v
           WHERE c.relkind = 'r'""")

    def __init__(self, folder):
        self.stores = PrivateServer()
        self.folder, self.base = self.stores.folder / "data", self.stores.folder / "base"
        self._stopping = threading.Event()

    def begin(self, suite, environment):
        suite.stop("members")
        self.end()
        subprocess.run(["cp", "-a", self.folder, self.base], check=True, timeout=600)
        # What is started from it is thrown away, and need not survive anything.
        with open(self.base / "postgresql.auto.conf", "a") as file:
            file.write("fsync = off\n")
        self.stores.environment = environment
        self.stores.start_again()
        self.stores.environment = {}
        suite.start("members")

    @contextlib.contextmanager
    def work(self):
        """Checkpoints: else pages of tables stay in the server's memory."""
        def checkpoints():
            while not self._stopping.wait(CHECKPOINT_SECONDS):
                self.stores.run(self.stores.base, "CHECKPOINT")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            working = pool.submit(checkpoints)
            try:
                yield
            finally:
                self._stopping.set()
            working.result()

    def end(self):
        with contextlib.suppress(OSError, IndexError):
            processes = [self.stores.postmaster, *self.stores.backends]
            self.stores.kill()
            wait_until(lambda: not any(map(exists, processes)), 30, "the end of the server")

    def recovered(self):
        # It is the killed server's, whose number may be another process's by now.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        url = self.stores.url("members")
        try:
            self.stores.start_again()
            answers = [self.stores.run(url, check) for check in self.CHECKS]
            return not any(answers), {row[0] for row in self.stores.run(url, IDS)}
        except (AssertionError, subprocess.SubprocessError) as problem:
            print(f"  no store after a cut: {problem}")
            return False, set()
        finally:
            self.end()


class Enrolled(typing.NamedTuple):
    id: str
    sent_ns: int
    acknowledged_ns: int


class Recording(typing.NamedTuple):
    store: File | Server
    changes: list
    enrolled: list[Enrolled]


class Judged:
    """Over all cuts: those that left a broken store, and rows that were lost."""

    def __init__(self, recording, moments, fates=FATES, honest=None):
        """`honest`: how many changes the disk keeps; of later ones it only says so."""
        self.recording, self.cuts, self.broken, self.files_cut = recording, 0, 0, set()
        self.lost = set()        # of what had been acknowledged
        self.hasty_lost = set()  # of what had been sent: a service that answers before its commit
        generator = random.Random(SEED)
        images = Images(recording.store.base, recording.store.folder)
        for index, change in enumerate(recording.changes):
            if honest is None or index < honest:
                images.take(change)
            if index in moments:
                self.files_cut |= images.pending.keys()
                for fate in fates:
                    self._judge(images.after_cut(fate, generator), change.time_ns)

    def _judge(self, files, time_ns):
        store = self.recording.store
        put(store.base, files, store.folder)
        is_sound, found = store.recovered()
        self.cuts += 1
        self.broken += not is_sound
        for each in self.recording.enrolled:
            if each.id not in found:
                if each.acknowledged_ns < time_ns:
                    self.lost.add(each.id)
                if each.sent_ns < time_ns:
                    self.hasty_lost.add(each.id)

    def tally(self):
        ids = {each.id for each in self.recording.enrolled}
        return tally(ids, ids, ids - self.lost)


def enroll_many(suite):
    """Enrolls people, some at a time, whatever befalls the service."""
    people = People(series=8)
    clients = [suite.client("partner"), suite.client("other_partner")]
    wait_until(lambda: Aftermath.is_up(suite.client("staff"), suite), 30, "the suite")

    def enroll(number):
        request, sent = enrollment(people.next()), time.monotonic_ns()
        while True:
            try:
                answer = clients[number % 2].members.SubmitEnrollment(request)
            except grpc.RpcError as error:
                assert error.code() in EXPECTED, error
                time.sleep(RETRY_SECONDS)  # nothing tells when the service takes writes again
                continue
            id = answer.enrollment.name.removeprefix("enrollments/")
            return Enrolled(id, sent, time.monotonic_ns())

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(enroll, range(WRITERS * EACH)))


@pytest.fixture(scope="module", params=ENGINES)
def recording(request, folder, binaries):
    place = pathlib.Path(folder) / request.param
    disk = Disk()
    store = {"sqlite": File, "postgres": Server}[request.param](place)
    suite = Suite(place, binaries, store.stores)
    try:
        suite.set_up()
        store.begin(suite, disk.recorder)
        with store.work():
            enrolled = enroll_many(suite)
        changes = list(records(disk.records))
        suite.kill(*suite.names)
        store.end()
        yield Recording(store, changes, enrolled)
    finally:
        suite.close()
        store.stores.close()
        disk.close()


def is_of_log(name):
    return "-wal" in name or "pg_wal/" in name


def moments(recording):
    """Half of them amid writing the log, half amid all else."""
    log = [index for index, change in enumerate(recording.changes) if is_of_log(change.path)]
    rest = sorted(set(range(len(recording.changes))) - set(log))
    most, generator = recording.store.most_cuts, random.Random(SEED)
    return {index for part in (log, rest)
            for index in generator.sample(part, min(len(part), (most + 1) // 2))}


@pytest.fixture(scope="module")
def judged(recording):
    return Judged(recording, moments(recording))


def test_acknowledged_enrollments_survive_a_power_cut(recording, judged):
    syncs = sum(change.kind == SYNC for change in recording.changes)
    report(f"power cut, {recording.store.stores.engine}", judged.cuts, [judged.tally()], 0)
    print(f"  seed {SEED} (YIJIA_CRASH_SEED); {len(recording.changes)} changes, {syncs} of them "
          f"fsyncs; {len(judged.files_cut)} files cut; {judged.broken} broken stores")
    assert judged.cuts >= 3 * min(recording.store.most_cuts // 2, 10) and syncs > 20
    assert (judged.broken, judged.lost) == (0, set())


def test_the_cuts_met_pages_of_tables_and_of_the_log(judged):
    assert {is_of_log(name) for name in judged.files_cut} == {True, False}, judged.files_cut


def test_the_judge_sees_what_acknowledging_before_the_commit_loses(judged):
    assert judged.hasty_lost


def test_the_judge_sees_what_a_disk_loses_that_only_says_it_synced(recording):
    """So it would be with fsync = off, too, but then our engine refuses to open the store."""
    count = len(recording.changes)
    assert Judged(recording, {count - 1}, ["nothing"], honest=count // 2).lost
