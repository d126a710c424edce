"""The disk under a store fails: it is full, a write or fsync fails, the process dies amid a page.

The error is clear, nothing acknowledged is lost, the stored bytes stay sound, and work goes on when
the disk is well again. On SQLite the service that owns the file meets the faults, and ends itself
after one that leaves the disk's state unknown; on PostgreSQL the server does.
YIJIA_DISK_FAULTS sets how many there are.
"""

import os
import random

import pytest

import disk as faults
from disk import Disk
from load import Load
from processes import exists, wait_until
from stores import Files, PrivateServer
from stubs import members
from suite import Suite
from verdict import Verdict, check_audit

ENGINES = os.environ.get("YIJIA_CRASH_ENGINES", "sqlite postgres").split()
ROUNDS = int(os.environ.get("YIJIA_DISK_FAULTS", "10"))
SEED = int(os.environ.get("YIJIA_CRASH_SEED", random.SystemRandom().randrange(1 << 30)))
pytestmark = pytest.mark.timeout(ROUNDS * 90 + 600)


@pytest.fixture(scope="module")
def disk():
    disk = Disk()
    yield disk
    disk.close()


class OwnedFile:
    """The members service owns its file, and meets the faults."""

    def __init__(self, suite):
        self.suite = suite

    @property
    def is_running(self):
        return self.suite.children["members"].is_running

    is_ready = is_running

    def start_again(self):
        self.suite.start("members")


class Server:
    """The database server meets the faults; services go on."""

    def __init__(self, stores):
        self.stores = stores

    @property
    def is_running(self):
        try:
            return exists(self.stores.postmaster)
        except (OSError, IndexError):
            return False

    @property
    def is_ready(self):
        try:
            self.stores.run(self.stores.base, "SELECT 1")
        except AssertionError:
            return False
        return True

    def start_again(self):
        self.stores.start_again()


@pytest.fixture(scope="module", params=ENGINES)
def suite(request, folder, binaries, disk):
    place = folder / request.param
    is_file = request.param == "sqlite"
    disk.mend()
    stores = Files(place) if is_file else PrivateServer(disk.environment)
    suite = Suite(place, binaries, stores, replicas=1 if is_file else 2)
    try:
        suite.set_up()
        suite.victim = OwnedFile(suite) if is_file else Server(stores)
        if is_file:
            suite.stop("members")
            suite.environment["members"] = disk.environment
            suite.start("members")
        yield suite
    finally:
        suite.close()
        disk.mend()
        stores.close()


def mend(disk, suite):
    """The disk is well again; whatever ended is started. A server may yet end: it gives up where
    the fault met its recovery."""
    disk.mend()
    victim = suite.victim

    def is_up():
        if not victim.is_running:
            victim.start_again()
        return victim.is_ready

    wait_until(is_up, 60, "the owner of the disk", step=0.2)


def fill_up(disk, suite, load):
    """A full disk for a while: writes are refused, reads go on, and nobody restarts a service."""
    process = suite.children["members"].pid
    disk.break_it(faults.DISK_FULL, lasts=True)
    wait_until(lambda: disk.met > 0, 30, "a full disk")
    failures = len(load.record.failures)
    wait_until(lambda: len(load.record.failures) > failures, 30, "a refusal")
    if suite.stores.engine == "sqlite":
        suite.client("staff").members.ListMembers(members.ListMembersRequest(page_size=1))
    mend(disk, suite)
    load.await_progress()
    assert suite.children["members"].pid == process and suite.children["members"].is_running


def fail_a_sync(disk, suite, load):
    """After a failed fsync the owner of the file ends itself; a server recovers from its log."""
    child = suite.children["members"]
    disk.break_it(faults.SYNC_FAILS)
    wait_until(lambda: disk.met > 0, 30, "a failed fsync")
    if suite.stores.engine == "sqlite":
        assert child.wait(30) == 1, "the service did not end itself"
        assert "the store failed" in child.output
    mend(disk, suite)
    load.await_progress()


def fail_somewhere(disk, suite, load, generator):
    """Any fault, at a moment that nobody planned."""
    kind = generator.choice(list(faults.NAMES))
    before = generator.randrange(60)
    disk.break_it(kind, before=before)
    wait_until(lambda: disk.met > 0 or not suite.victim.is_running, 30, faults.NAMES[kind])
    if suite.stores.engine == "sqlite" and kind != faults.DISK_FULL:
        suite.children["members"].wait(30)
    mend(disk, suite)
    load.await_progress()
    return kind


@pytest.fixture(scope="module")
def outcome(suite, disk):
    print(f"\ndisk test on {suite.stores.engine}: seed {SEED} (YIJIA_CRASH_SEED), {ROUNDS} faults")
    generator = random.Random(SEED)
    met = []
    with Load(suite, SEED) as load:
        fill_up(disk, suite, load)
        fail_a_sync(disk, suite, load)
        for number in range(ROUNDS - 2):
            met.append(fail_somewhere(disk, suite, load, generator))
            if number % 10 == 7:
                print(f"  {number + 3} faults, {len(load.record.acknowledged)} enrollments "
                      "acknowledged", flush=True)
    counts = ", ".join(f"{met.count(kind)} × {name}" for kind, name in faults.NAMES.items())
    print(f"  at random: {counts}")
    return Verdict(load, load.aftermath())


def test_no_acknowledged_write_is_lost_or_doubled(outcome, suite):
    outage = outcome.load.record.enrollment_outage.longest
    outcome.report(f"disk, {suite.stores.engine}", ROUNDS, outage)
    outcome.check_records()


def test_callers_were_told_to_retry_and_when(outcome):
    outcome.check_failures()


def test_a_person_has_one_live_membership_and_counters_equal_rows(outcome):
    outcome.check_invariants()


def test_the_judge_sees_what_acknowledging_before_the_commit_loses(outcome):
    outcome.check_control()


def test_the_stored_bytes_are_sound_and_the_audit_chains_verify(outcome, suite):
    check_audit(suite)
    if suite.stores.engine == "sqlite":
        assert suite.stores.run(suite.stores.url("members"), "PRAGMA integrity_check") == [("ok",)]
