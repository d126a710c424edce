"""Services are killed (SIGKILL) at random moments while partners enroll and a kiosk reports.

Every acknowledged record is there exactly once afterwards, every other at most once, counters
equal rows, and the audit chain verifies. YIJIA_CRASH_ROUNDS sets the rounds, YIJIA_CRASH_SEED
chooses the same moments and victims again.
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

from clients import pages
from people import People, enrollment
from processes import wait_until
from stubs import members, stations
from suite import SERVICES
from tally import Outage, tally
from workload import BulkEnroller, Kiosk, Record, TwinEnroller, UnaryEnroller

ROUNDS = int(os.environ.get("YIJIA_CRASH_ROUNDS", "3"))
SEED = int(os.environ.get("YIJIA_CRASH_SEED", random.SystemRandom().randrange(1 << 30)))
FINISH_SECONDS = 90


class Chaos:
    """Kills one or several services at a random moment of their work, and starts them again."""

    def __init__(self, suite, seed):
        self.suite, self.random, self.kills = suite, random.Random(seed), 0

    def round(self, progress):
        # Every round sees work done first, then a moment that nobody planned.
        progress()
        time.sleep(self.random.uniform(0.05, 1.0))
        victims = self.random.sample(SERVICES, self.random.choice([1, 1, 1, 2, 3]))
        self.suite.kill(*victims)
        self.kills += len(victims)
        time.sleep(self.random.choice([0, 0, 0.1, 0.5]))
        self.random.shuffle(victims)
        self.suite.start(*victims, wait=False)
        if self.random.random() < 0.3:  # and once more, while it starts
            again = self.random.choice(victims)
            time.sleep(self.random.uniform(0, 0.3))
            self.suite.kill(again)
            self.kills += 1
            self.suite.start(again, wait=False)
        self.suite.wait_until_serving(*victims)


class CodeBook:
    """Codes of some members, for the kiosk: looked up once and kept."""

    MOST = 40

    def __init__(self, suite, record):
        self.staff, self.suite, self.record, self.codes = suite.client("staff"), suite, record, []

    def __call__(self):
        enrolled = list(self.record.acknowledged)
        if len(self.codes) < min(self.MOST, len(enrolled)):
            try:
                [member] = self.suite.members_of(self.staff, enrolled[len(self.codes)])
                self.codes.append(self.staff.members.GetMemberCode(
                    members.GetMemberCodeRequest(name=member.name)).code)
            except grpc.RpcError:
                pass  # a service is away: later
        return self.codes


class Aftermath:
    """What is there when all is up again."""

    def __init__(self, suite, record):
        staff = suite.client("staff")
        wait_until(lambda: self.is_up(staff, suite), 30, "the suite after the last kill")
        self.members = pages(
            staff.members.ListMembers, members.ListMembersRequest(page_size=1_000), "members")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            rows = pool.map(lambda id: (id, suite.members_of(staff, id)), list(record.sent))
            self.memberships = [(id, row.name) for id, found in rows for row in found]
        self.statistics = staff.members.GetEnrollmentStatistics(
            members.GetEnrollmentStatisticsRequest())
        self._await_matches(staff, suite)
        self.visits = self._visits(staff, suite)
        self.days = staff.stations.GetDailyVisitStatistics(
            stations.GetDailyVisitStatisticsRequest(point=suite.point)).days

    @staticmethod
    def is_up(staff, suite):
        try:
            staff.members.ListMembers(members.ListMembersRequest(page_size=1), timeout=5)
            staff.stations.GetPoint(stations.GetPointRequest(name=suite.point), timeout=5)
        except grpc.RpcError:
            return False
        return True

    @staticmethod
    def _visits(staff, suite):
        request = stations.ListVisitsRequest(point=suite.point, page_size=1_000)
        return pages(staff.stations.ListVisits, request, "visits")

    def _await_matches(self, staff, suite):
        """Every code in the kiosk's book is a member's: by feed at the latest all are matched."""
        wait_until(
            lambda: not any(row.state == stations.VISIT_STATE_UNMATCHED
                            for row in self._visits(staff, suite)), 60, "every match", step=0.5)


@pytest.fixture(scope="module")
def outcome(suite):
    """Runs the rounds; (record, kiosk, chaos, aftermath)."""
    print(f"\ncrash test: seed {SEED} (YIJIA_CRASH_SEED), {ROUNDS} rounds")
    seeds = random.Random(SEED)
    record, people = Record(), People(series=5)
    enrollers = [
        *(UnaryEnroller(record, seeds.random(), suite.client("partner"), people)
          for _ in range(4)),
        UnaryEnroller(record, seeds.random(), suite.client("other_partner"), people),
        TwinEnroller(record, seeds.random(),
                     [suite.client("partner"), suite.client("other_partner")], people),
        *(BulkEnroller(record, seeds.random(), suite.client("partner"), people)
          for _ in range(2))]
    kiosk = Kiosk(record, seeds.random(), suite.client("kiosk"), CodeBook(suite, record))
    workers = [*enrollers, kiosk]
    chaos = Chaos(suite, seeds.random())
    for worker in workers:
        worker.start()
    try:
        for _ in range(ROUNDS):
            chaos.round(lambda: await_progress(record, kiosk))
        await_progress(record, kiosk)
    finally:
        for worker in workers:
            worker.stopping.set()
        for worker in workers:
            worker.join(FINISH_SECONDS)
    stuck = [type(worker).__name__ for worker in workers if worker.is_alive()]
    problems = [worker.problem for worker in workers if worker.problem]
    assert not stuck and not problems, (stuck, problems)
    return record, kiosk, chaos, Aftermath(suite, record)


def await_progress(record, kiosk):
    """Waits until an enrollment and a visit more are acknowledged."""
    enrolled, reported = len(record.acknowledged), kiosk.spool.acknowledged
    wait_until(lambda: len(record.acknowledged) > enrolled, 60, "an enrollment")
    wait_until(lambda: kiosk.spool.acknowledged > reported, 60, "a visit")


@pytest.fixture(scope="module")
def enrollments(outcome):
    record, _, _, after = outcome
    return tally(record.sent, record.acknowledged, [id for id, _ in after.memberships])


@pytest.fixture(scope="module")
def visits(outcome):
    _, kiosk, _, after = outcome
    ids = kiosk.spool.ids
    return tally(
        ids, ids[:kiosk.spool.acknowledged],
        [row.name.removeprefix("visits/") for row in after.visits])


pytestmark = pytest.mark.timeout(ROUNDS * 60 + 300)


def test_every_acknowledged_enrollment_is_there_exactly_once(outcome, enrollments, visits):
    record, kiosk, chaos, _ = outcome
    print(f"""
  rounds                      {ROUNDS:>7}
  kills                       {chaos.kills:>7}
  enrollments sent            {enrollments.sent:>7}
  enrollments acknowledged    {enrollments.acknowledged:>7}
  enrollments lost            {len(enrollments.lost):>7}
  enrollments doubled         {len(enrollments.doubled):>7}
  enrolled unacknowledged     {enrollments.extra:>7}
  visits acknowledged         {visits.acknowledged:>7}
  visits lost                 {len(visits.lost):>7}
  visits doubled              {len(visits.doubled):>7}
  calls that failed           {len(record.failures) + len(kiosk.failures):>7}
  longest outage, enrollments {record.enrollment_outage.longest:>7.1f} s
  longest outage, visits      {kiosk.outage.longest:>7.1f} s""")
    assert enrollments.acknowledged > 0 and chaos.kills >= ROUNDS
    assert enrollments.is_sound, enrollments


def test_every_acknowledged_visit_is_there_exactly_once(visits):
    assert visits.acknowledged == visits.sent > 0  # the kiosk goes on until all is acknowledged
    assert visits.is_sound, visits


def test_callers_met_only_failures_that_say_retry(outcome):
    record, kiosk, _, _ = outcome
    assert record.surprises == []
    assert set(kiosk.failures) <= {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ENDED"}


def test_a_person_has_one_live_membership(outcome):
    _, _, _, after = outcome
    names = [name for _, name in after.memberships]
    assert len(set(names)) == len(names)
    # And nobody is a member whom no worker sent.
    assert {member.name for member in after.members} == set(names)


def test_counters_of_members_equal_the_list(outcome):
    _, _, _, after = outcome
    listed, counts = after.members, after.statistics.counts
    assert after.statistics.live_members == len(listed)
    for count in counts:
        rows = [m for m in listed if (m.group, m.channel) == (count.group, count.channel)]
        assert count.members == len(rows)
    assert sum(count.members for count in counts) == len(listed)


def test_counters_of_visits_equal_the_rows(outcome):
    _, _, _, after = outcome
    for field, state in (("matched", stations.VISIT_STATE_MATCHED),
                         ("unmatched", stations.VISIT_STATE_UNMATCHED),
                         ("anonymous", stations.VISIT_STATE_ANONYMOUS),
                         ("set_aside", stations.VISIT_STATE_SET_ASIDE)):
        counted = sum(getattr(day, field) for day in after.days)
        assert counted == sum(row.state == state for row in after.visits), field
    assert sum(day.visits for day in after.days) == len(after.visits)


def test_sequences_of_an_epoch_are_stored_without_gaps(outcome):
    _, kiosk, _, after = outcome
    sequences = [row.sequence for row in after.visits if row.spool_epoch == kiosk.spool.epoch]
    assert sequences == list(range(1, len(sequences) + 1))


def test_the_audit_chain_verifies_after_the_kills(outcome, suite):
    suite.stop("gateway", "stations", "members")
    for name in ("members", "stations"):
        status, said = suite.verify_audit(suite.folder / f"data/{name}.sqlite")
        assert status == 0 and said.startswith("intact"), f"{name}: {said}"
        assert int(said.split()[1]) > 0, f"{name} has no audit rows"


# Negative controls: the judge above would see what must not happen.


@pytest.mark.parametrize("found, problem", [
    (["a", "b"], "lost"), (["a", "b", "c", "c"], "doubled"), (["a", "b", "c", "d", "d"], "doubled"),
    (["a", "b", "c", "x"], "strangers")])
def test_the_judge_sees_what_is_wrong(found, problem):
    judged = tally(sent="abcd", acknowledged="abc", found=found)
    assert not judged.is_sound and getattr(judged, problem)


@pytest.mark.parametrize("found", [["a", "b", "c"], ["c", "a", "b", "d"]])
def test_the_judge_lets_an_unacknowledged_record_be_there_once_or_not(found):
    assert tally(sent="abcd", acknowledged="abc", found=found).is_sound


def test_the_judge_sees_a_lost_and_a_doubled_record_of_this_very_run(outcome):
    record, _, _, after = outcome
    found = [id for id, _ in after.memberships]
    acknowledged = next(id for id in found if id in record.acknowledged)
    without = [id for id in found if id != acknowledged]
    assert tally(record.sent, record.acknowledged, without).lost == [acknowledged]
    twice = [*found, acknowledged]
    assert tally(record.sent, record.acknowledged, twice).doubled == [acknowledged]


def test_the_judge_sees_acknowledged_enrollments_that_a_store_forgot(outcome, suite, folder):
    """A store put back to an hour before is what losing acknowledged writes looks like."""
    suite.kill(*(name for name in SERVICES if suite.children[name].is_running))
    kept = folder / "kept"
    shutil.copytree(suite.folder / "data", kept)
    suite.start(*SERVICES)
    staff, partner, people = suite.client("staff"), suite.client("partner"), People(series=6)
    wait_until(lambda: Aftermath.is_up(staff, suite), 30, "the suite")
    persons = [people.next() for _ in range(5)]
    for person in persons:
        partner.members.SubmitEnrollment(enrollment(person))
    suite.kill(*SERVICES)
    shutil.rmtree(suite.folder / "data")
    shutil.copytree(kept, suite.folder / "data")
    suite.start(*SERVICES)
    wait_until(lambda: Aftermath.is_up(staff, suite), 30, "the suite")
    ids = [person.resident_id for person in persons]
    found = [id for id in ids for _ in suite.members_of(staff, id)]
    assert tally(ids, ids, found).lost == sorted(ids)
    suite.stop("gateway", "stations", "members")


@pytest.mark.parametrize("change, problem", [
    ("UPDATE storage_audit SET actor = 'staff/nobody' WHERE (chain, sequence) = {row}", "row"),
    ("DELETE FROM storage_audit WHERE (chain, sequence) = {row}", "row")])
def test_the_audit_verification_sees_a_row_that_was_changed_or_taken_out(
        outcome, suite, folder, change, problem):
    store = folder / f"changed-{change[:6]}.sqlite"
    for child in suite.children.values():
        child.stop()
    shutil.copy(suite.folder / "data/members.sqlite", store)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        chain, sequence = connection.execute(
            "SELECT chain, max(sequence) / 2 FROM storage_audit").fetchone()
        connection.execute(change.format(row=f"('{chain}', {sequence})"))
        connection.commit()
    status, said = suite.verify_audit(store)
    assert status != 0 and "NOT intact" in said and problem in said, said


def test_the_longest_outage_is_measured():
    times = iter([0.0, 1.0, 5.0, 5.5])
    outage = Outage(lambda: next(times))
    for _ in range(3):
        outage.acknowledged()
    assert outage.longest == 4.0
