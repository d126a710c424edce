"""A power cut, as far as it can be imitated: SIGKILL keeps what the kernel holds, a cut does not.

The members service works on SQLite while every write and fsync of its file is recorded. Then its
file is made again as a cut at many moments would have left it: what was synced is there; of what
was written since, nothing, all, or some pages and a torn one. From each, SQLite recovers to a sound
store that holds every enrollment that was acknowledged before. YIJIA_POWER_CUTS sets how many.
"""

import concurrent.futures
import contextlib
import os
import random
import shutil
import sqlite3
import time

import grpc
import pytest

from disk import SYNC, TRUNCATE, WRITE, Disk, records
from people import People, enrollment
from processes import wait_until
from suite import Suite
from tally import report, tally
from test_crash import Aftermath
from workload import EXPECTED, RETRY_SECONDS

CUTS = int(os.environ.get("YIJIA_POWER_CUTS", "60"))
SEED = int(os.environ.get("YIJIA_CRASH_SEED", random.SystemRandom().randrange(1 << 30)))
WRITERS, EACH = 16, 40
SECTOR = 512
pytestmark = pytest.mark.timeout(CUTS * 10 + 300)


class Images:
    """The files as they are on disk for sure, and what was written since each file's last fsync."""

    def __init__(self, base):
        self.durable = {base.name: bytearray(base.read_bytes())}
        self.pending = {}

    def take(self, change, name, offset, data):
        if change == SYNC:
            self._apply(self.durable, name, self.pending.pop(name, []))
        else:
            self.pending.setdefault(name, []).append((change, offset, data))

    @staticmethod
    def _apply(files, name, changes):
        file = files.setdefault(name, bytearray())
        for change, offset, data in changes:
            if change == TRUNCATE:
                del file[offset:]
                continue
            if len(file) < offset:
                file.extend(bytes(offset - len(file)))
            file[offset:offset + len(data)] = data

    def after_cut(self, fate, generator):
        """What the disk may hold: `nothing` of what is not synced, `all`, or `some`."""
        files = {name: bytearray(file) for name, file in self.durable.items()}
        for name, changes in self.pending.items():
            if fate == "all":
                self._apply(files, name, changes)
            elif fate == "some":
                self._apply(files, name, self._some(changes, generator))
        return files

    @staticmethod
    def _some(changes, generator):
        kept = [change for change in changes if generator.random() < 0.5]
        if kept and kept[-1][0] == WRITE and len(kept[-1][2]) > SECTOR:
            _, offset, data = kept[-1]  # torn between two sectors
            kept[-1] = (WRITE, offset, data[:SECTOR * generator.randrange(1, len(data) // SECTOR)])
        return kept


def stored(folder, files):
    """What SQLite finds after a cut: (is sound, identifiers of enrollments)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with contextlib.closing(sqlite3.connect(folder / "members.sqlite")) as connection:
        [(sound,)] = connection.execute("PRAGMA integrity_check").fetchall()
        return sound == "ok", {row[0] for row in connection.execute("SELECT id FROM enrollments")}


class Judged:
    """Over all cuts: those that left a broken store, and acknowledged rows that were lost."""

    def __init__(self, log, base, acknowledged, folder, cuts, believes_syncs=True):
        self.cuts, self.broken, self.lost = 0, 0, set()
        generator = random.Random(SEED)
        images = Images(base)
        for index, (change, path, time_ns, offset, data) in enumerate(log):
            if change == SYNC and not believes_syncs:
                continue
            images.take(change, path.rsplit("/", 1)[1], offset, data)
            if index in cuts:
                before = {id for at, id in acknowledged if at < time_ns}
                for fate in ("nothing", "some", "all"):
                    self._judge(images.after_cut(fate, generator), before, folder)

    def _judge(self, files, before, folder):
        self.cuts += 1
        try:
            is_sound, found = stored(folder, files)
        except sqlite3.DatabaseError:
            is_sound, found = False, set()
        self.broken += not is_sound
        self.lost |= before - found

    def tally(self, ids):
        return tally(ids, ids, set(ids) - self.lost)


@pytest.fixture(scope="module")
def recording(folder, binaries):
    """(records, the file before them, [(time in ns, enrollment)] as acknowledged)."""
    disk = Disk()
    suite = Suite(folder / "power", binaries)
    try:
        suite.set_up()
        suite.stop("members")
        base = folder / "members.sqlite"
        shutil.copy(suite.folder / "data/members.sqlite", base)
        log = folder / "records"
        suite.environment["members"] = {
            "LD_PRELOAD": str(disk.library), "YIJIA_RECORD": str(log)}
        suite.start("members")
        people = People(series=8)
        clients = [suite.client("partner"), suite.client("other_partner")]

        wait_until(lambda: Aftermath.is_up(suite.client("staff"), suite), 30, "the suite")

        def enroll(number):
            request = enrollment(people.next())
            while True:
                try:
                    answer = clients[number % 2].members.SubmitEnrollment(request)
                except grpc.RpcError as error:
                    assert error.code() in EXPECTED, error
                    time.sleep(RETRY_SECONDS)
                    continue
                return time.monotonic_ns(), answer.enrollment.name.removeprefix("enrollments/")

        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            acknowledged = list(pool.map(enroll, range(WRITERS * EACH)))
        suite.kill("members")
        yield list(records(log)), base, acknowledged
    finally:
        suite.close()
        disk.close()


@pytest.fixture(scope="module")
def cuts(recording):
    count = len(recording[0])
    return set(random.Random(SEED).sample(range(count), min(count, CUTS)))


def test_acknowledged_enrollments_survive_a_power_cut(recording, cuts, folder):
    log, base, acknowledged = recording
    judged = Judged(log, base, acknowledged, folder / "cut", cuts)
    syncs = sum(change == SYNC for change, *_ in log)
    ids = [id for _, id in acknowledged]
    report("power cut, sqlite", judged.cuts, [judged.tally(ids)], 0)
    print(f"  seed {SEED} (YIJIA_CRASH_SEED); {len(log)} changes recorded, {syncs} of them fsyncs; "
          f"{judged.broken} broken stores")
    assert judged.cuts >= 3 * min(CUTS, 20) and syncs > 20
    assert (judged.broken, judged.lost) == (0, set())


def test_the_judge_sees_what_a_disk_loses_that_only_says_it_synced(recording, cuts, folder):
    log, base, acknowledged = recording
    judged = Judged(log, base, acknowledged, folder / "lie", cuts, believes_syncs=False)
    assert judged.lost
