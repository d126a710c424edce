"""Services and their database are killed (SIGKILL) at random moments while partners enroll and a
kiosk reports.

Every acknowledged record is there exactly once afterwards, every other at most once, counters
equal rows, and the audit chain verifies. On SQLite, and on PostgreSQL with two replicas of members.
YIJIA_CRASH_ENGINES names one of them, YIJIA_CRASH_ROUNDS sets the rounds, YIJIA_CRASH_SEED chooses
the same moments and victims again.
"""

import concurrent.futures
import contextlib
import os
import random
import signal
import time

import grpc
import pytest

from clients import pages
from people import People, enrollment
from processes import wait_until
from stores import Files, PrivateServer
from stubs import members, stations
from suite import Suite
from tally import Outage, report, tally
from workload import BulkEnroller, Kiosk, Record, TwinEnroller, UnaryEnroller, be_hasty

ENGINES = os.environ.get("YIJIA_CRASH_ENGINES", "sqlite postgres").split()
ROUNDS = int(os.environ.get("YIJIA_CRASH_ROUNDS", "3"))
SEED = int(os.environ.get("YIJIA_CRASH_SEED", random.SystemRandom().randrange(1 << 30)))
FINISH_SECONDS = 90


class Chaos:
    """Kills one or several services at a random moment of their work, and starts them again; where
    there is a database server, every other time that too."""

    def __init__(self, suite, seed):
        self.suite, self.random, self.kills = suite, random.Random(seed), 0
        self.has_server = isinstance(suite.stores, PrivateServer)

    def round(self, progress):
        # Every round sees work done first, then a moment that nobody planned.
        progress()
        time.sleep(self.random.uniform(0.05, 1.0))
        if self.has_server and self.random.random() < 0.5:
            self.kill_server()
            if self.random.random() < 0.5:
                return
        self.kill_services()

    def kill_server(self):
        """As a whole, its main process alone, or one process: then it restarts by itself."""
        server = self.suite.stores
        self.kills += 1
        way = self.random.choice(["whole", "main", "one"])
        if way == "one":
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.random.choice(server.expendable), signal.SIGKILL)
            return
        if way == "whole":
            server.kill()
        else:
            os.kill(server.postmaster, signal.SIGKILL)
        time.sleep(self.random.choice([0, 0.1, 0.5]))
        server.start_again()

    def kill_services(self):
        victims = self.random.sample(self.suite.names, self.random.choice([1, 1, 1, 2, 3]))
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

    def __init__(self, suite, record, hasty):
        self.hasty = hasty
        staff = suite.client("staff")
        wait_until(lambda: self.is_up(staff, suite), 30, "the suite after the last kill")
        self.members = pages(
            staff.members.ListMembers, members.ListMembersRequest(page_size=1_000), "members")
        self.memberships, self.hasty_memberships = (
            self._memberships(staff, suite, sent) for sent in (record.sent, hasty.sent))
        self.statistics = staff.members.GetEnrollmentStatistics(
            members.GetEnrollmentStatisticsRequest())
        self._await_matches(staff, suite)
        self.visits = self._visits(staff, suite)
        self.days = staff.stations.GetDailyVisitStatistics(
            stations.GetDailyVisitStatisticsRequest(point=suite.point)).days

    @staticmethod
    def _memberships(staff, suite, sent):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            rows = pool.map(lambda id: (id, suite.members_of(staff, id)), list(sent))
            return [(id, row.name) for id, found in rows for row in found]

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


@pytest.fixture(scope="module", params=ENGINES)
def suite(request, folder, binaries):
    """On SQLite, or on a server of the test's own with replicas."""
    place = folder / request.param
    stores = Files(place) if request.param == "sqlite" else PrivateServer()
    suite = Suite(place, binaries, stores, replicas=1 if request.param == "sqlite" else 2)
    try:
        suite.set_up()
        yield suite
    finally:
        suite.close()
        stores.close()


@pytest.fixture(scope="module")
def outcome(suite):
    """Runs the rounds; (record, kiosk, chaos, aftermath)."""
    print(f"\ncrash test on {suite.stores.engine}: seed {SEED} (YIJIA_CRASH_SEED), {ROUNDS} rounds")
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
        for number in range(ROUNDS):
            chaos.round(lambda: await_progress(record, kiosk))
            if number % 10 == 9:
                print(f"  {number + 1} rounds, {chaos.kills} kills, {len(record.acknowledged)} "
                      f"enrollments and {kiosk.spool.acknowledged} visits acknowledged", flush=True)
        await_progress(record, kiosk)
    finally:
        for worker in workers:
            worker.stopping.set()
        end = time.monotonic() + FINISH_SECONDS
        for worker in workers:
            worker.join(max(0, end - time.monotonic()))
    stuck = [type(worker).__name__ for worker in workers if worker.is_alive()]
    problems = [worker.problem for worker in workers if worker.problem]
    assert not stuck and not problems, (stuck, problems)
    return record, kiosk, chaos, Aftermath(suite, record, hasty(suite))


def hasty(suite):
    """What a hasty caller sent and takes for stored, when members was killed amid its answers."""
    def kill():
        suite.kill("members", *suite.replicas)
        suite.start("members", *suite.replicas)

    staff = suite.client("staff")
    wait_until(lambda: Aftermath.is_up(staff, suite), 30, "the suite after the rounds")
    return be_hasty(suite.client("partner"), People(series=7), kill)


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


def test_every_acknowledged_enrollment_is_there_exactly_once(outcome, enrollments, visits, suite):
    record, kiosk, chaos, _ = outcome
    report(f"SIGKILL, {suite.stores.engine}", ROUNDS, [enrollments, visits],
           max(record.enrollment_outage.longest, kiosk.outage.longest))
    print(f"  {chaos.kills} kills; {len(record.failures) + len(kiosk.failures)} calls failed; "
          f"{enrollments.extra} enrolled without an acknowledgement")
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
    names = [name for _, name in [*after.memberships, *after.hasty_memberships]]
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
    suite.stop("gateway", "stations", "members", *suite.replicas)
    for name in ("members", "stations"):
        status, said = suite.verify_audit(suite.stores.url(name))
        assert status == 0 and said.startswith("intact"), f"{name}: {said}"
        assert int(said.split()[1]) > 0, f"{name} has no audit rows"


# Negative controls: the judge above would see what must not happen.


def test_the_judge_sees_what_acknowledging_before_the_commit_loses(outcome):
    """A caller that takes its sent requests for stored is what a service would be that answers
    first and commits later. What really was acknowledged to it is there."""
    _, _, _, after = outcome
    hasty, found = after.hasty, [id for id, _ in after.hasty_memberships]
    judged = tally(hasty.sent, hasty.sent, found)
    assert judged.lost and not judged.doubled, judged
    assert hasty.acknowledged and tally(hasty.sent, hasty.acknowledged, found).is_sound


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


def test_the_judge_sees_acknowledged_enrollments_that_a_store_forgot(outcome, suite):
    """A store put back to an hour before is what losing acknowledged writes looks like."""
    suite.kill(*(name for name in suite.names if suite.children[name].is_running))
    kept = suite.folder / "kept"
    suite.stores.keep(kept)
    suite.start(*suite.names)
    staff, partner, people = suite.client("staff"), suite.client("partner"), People(series=6)
    wait_until(lambda: Aftermath.is_up(staff, suite), 30, "the suite")
    persons = [people.next() for _ in range(5)]
    for person in persons:
        partner.members.SubmitEnrollment(enrollment(person))
    suite.kill(*suite.names)
    suite.stores.put_back(kept)
    suite.start(*suite.names)
    wait_until(lambda: Aftermath.is_up(staff, suite), 30, "the suite")
    ids = [person.resident_id for person in persons]
    found = [id for id in ids for _ in suite.members_of(staff, id)]
    assert tally(ids, ids, found).lost == sorted(ids)
    suite.stop("gateway", "stations", "members", *suite.replicas)


@pytest.mark.parametrize("change, problem", [
    ("UPDATE storage_audit SET actor = 'staff/nobody' WHERE (chain, sequence) = {row}", "row"),
    ("DELETE FROM storage_audit WHERE (chain, sequence) = {row}", "row")])
def test_the_audit_verification_sees_a_row_that_was_changed_or_taken_out(
        outcome, suite, change, problem):
    for child in suite.children.values():
        child.stop()
    store = suite.stores.copy("members", suite.folder / f"changed-{change[:6]}.sqlite")
    [(chain, last)] = suite.stores.run(
        store, "SELECT chain, max(sequence) FROM storage_audit GROUP BY chain"
        " ORDER BY max(sequence) DESC LIMIT 1")
    row = f"('{chain}', {max(1, int(last) // 2)})"
    suite.stores.run(store, change.format(row=row))
    status, said = suite.verify_audit(store)
    assert status != 0 and "NOT intact" in said and problem in said, said


def test_the_longest_outage_is_measured():
    times = iter([0.0, 1.0, 5.0, 5.5])
    outage = Outage(lambda: next(times))
    for _ in range(3):
        outage.acknowledged()
    assert outage.longest == 4.0
