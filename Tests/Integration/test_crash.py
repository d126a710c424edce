"""Services are killed at random moments while a client enrolls and a kiosk reports.

What was acknowledged is there exactly once; what was not, at most once; the audit chains verify.
Rounds: YIJIA_CRASH_ROUNDS, few by default; `make crash` does 25.
"""
import collections
import os
import random
import threading
import time
import uuid

import grpc
import pytest
from kiosk import Kiosk
from people import (application, next_number, open_point, plant_tree, register_kiosk, resident_id,
                    submission)
from stubs import Members, Stations, enrollment_pb2, member_pb2, visit_pb2
from suite import SERVICES, Suite, wait_until

ROUNDS = int(os.environ.get("YIJIA_CRASH_ROUNDS", "3"))
WORKERS = 6


class Enroller(threading.Thread):
    """Enrolls one person after the other; retries with the same request id until the answer."""

    def __init__(self, suite, stop):
        super().__init__(daemon=True)
        self.suite, self.stop_event = suite, stop
        self.acknowledged, self.sent, self.odd = {}, set(), []

    def run(self):
        with self.suite.channel() as channel:
            members = Members(channel)
            while not self.stop_event.is_set():
                number = next_number()
                self.one(members, number, submission(number))

    def one(self, members, number, request):
        self.sent.add(number)
        while not self.stop_event.is_set():
            try:
                reply = members.SubmitEnrollment(
                    request, metadata=self.suite.partner(), timeout=5)
            except grpc.RpcError as error:
                if error.code() not in RETRIED:
                    return self.odd.append((number, error.code(), error.details()))
                self.stop_event.wait(0.02)
                continue
            first = self.acknowledged.setdefault(number, reply.enrollment.name)
            if first != reply.enrollment.name:
                self.odd.append((number, "another reply to the same request"))
            return None


class BulkEnroller(Enroller):
    """Enrolls by stream; a broken stream is taken up with the same request ids."""

    def run(self):
        with self.suite.channel() as channel:
            members = Members(channel)
            while not self.stop_event.is_set():
                rows = {number: enrollment_pb2.EnrollMembersRequest(
                    request_id=str(uuid.uuid4()), row=number, application=application(number))
                    for number in (next_number() for _ in range(40))}
                self.sent.update(rows)
                while rows and not self.stop_event.is_set():
                    try:
                        self.stream(members, rows)
                    except grpc.RpcError as error:
                        if error.code() not in RETRIED:
                            self.odd.append((error.code(), error.details()))
                        self.stop_event.wait(0.02)

    def stream(self, members, rows):
        for response in members.EnrollMembers(
                iter(list(rows.values())), metadata=self.suite.partner(), timeout=20):
            if response.WhichOneof("result") == "error":
                if response.error.code != grpc.StatusCode.UNAVAILABLE.value[0]:
                    self.odd.append((response.row, response.error.reason))
                continue
            self.acknowledged[response.row] = response.enrollment.name
            rows.pop(response.row, None)


# A killed service or gateway shows as one of these; nothing else may.
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
           grpc.StatusCode.CANCELLED)


def tally(acknowledged, sent, stored):
    """What was lost and what was doubled: `stored` lists a key for every record there is."""
    count = collections.Counter(stored)
    lost = [key for key in acknowledged if count[key] == 0]
    doubled = [key for key, times in count.items() if times > 1]
    strange = [key for key in count if key not in sent]
    return lost, doubled, strange


def test_the_tally_sees_what_is_lost_and_what_is_doubled():
    assert tally([1, 2, 3], {1, 2, 3, 4}, [1, 2, 3]) == ([], [], [])
    assert tally([1, 2, 3], {1, 2, 3, 4}, [1, 2, 3, 4]) == ([], [], [])
    assert tally([1, 2, 3], {1, 2, 3}, [1, 3]) == ([2], [], [])
    assert tally([1, 2], {1, 2}, [1, 2, 2]) == ([], [2], [])
    assert tally([1], {1}, [1, 7]) == ([], [], [7])


def all_pages(call, request, metadata, field):
    while True:
        response = call(request, metadata=metadata, timeout=30)
        yield from getattr(response, field)
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token


def kill_and_restart(suite, dice):
    """Kills one to three services at once, and starts them again in any order."""
    victims = dice.sample(SERVICES, dice.choice([1, 1, 2, 3]))
    for name in victims:
        suite.kill(name)
    time.sleep(dice.uniform(0, 0.3))
    dice.shuffle(victims)
    for name in victims:
        suite.start(name)
    suite.wait_serving()
    return len(victims)


@pytest.mark.timeout(300 + 60 * ROUNDS)
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path):
    seed = int(os.environ.get("YIJIA_CRASH_SEED", random.randrange(1 << 30)))
    print(f"\nseed {seed} (YIJIA_CRASH_SEED)")
    dice = random.Random(seed)
    suite = Suite(tmp_path / "suite").prepare()
    stop = threading.Event()
    try:
        suite.start_all()
        with suite.channel() as channel:
            names = plant_tree(Members(channel), suite.staff())
            point = open_point(Stations(channel), suite.staff(), names["haigang"])
            _, key = register_kiosk(Stations(channel), suite.staff(), point)
        enrollers = [Enroller(suite, stop) for _ in range(WORKERS)]
        enrollers += [BulkEnroller(suite, stop)]
        kiosk, kiosk_channel = Kiosk(suite, key), suite.channel()
        reporter = threading.Thread(target=kiosk.run, args=(kiosk_channel,), daemon=True)
        for thread in [*enrollers, reporter]:
            thread.start()
        kills = work(suite, dice, enrollers, kiosk)
        stop.set()
        kiosk.stop()
        for thread in [*enrollers, reporter]:
            thread.join(30)
            assert not thread.is_alive()
        kiosk_channel.close()
        judge(suite, enrollers, kiosk, point, kills)
    finally:
        stop.set()
        suite.close()


def work(suite, dice, enrollers, kiosk):
    kills = 0
    for _ in range(ROUNDS):
        before = kiosk.acknowledged, sum(len(e.acknowledged) for e in enrollers)
        time.sleep(dice.uniform(0.2, 1.5))
        kills += kill_and_restart(suite, dice)
        # Every round starts from work that goes on.
        wait_until(
            lambda: kiosk.acknowledged > before[0]
            and sum(len(e.acknowledged) for e in enrollers) > before[1], 60, "work going on")
    return kills


def judge(suite, enrollers, kiosk, point, kills):
    odd = [each for enroller in enrollers for each in enroller.odd]
    acknowledged = {n for enroller in enrollers for n in enroller.acknowledged}
    sent = {n for enroller in enrollers for n in enroller.sent}
    with suite.channel() as channel:
        members, stations = Members(channel), Stations(channel)
        listed = list(all_pages(
            members.ListMembers, member_pb2.ListMembersRequest(page_size=1000), suite.staff(),
            "members"))
        found = {}
        for number in sent:
            request = member_pb2.ListMembersRequest(resident_id=resident_id(number))
            answer = members.ListMembers(request, metadata=suite.staff(), timeout=30).members
            found[number] = [m.name for m in answer]
        visits = list(all_pages(
            stations.ListVisits, visit_pb2.ListVisitsRequest(point=point, page_size=1000),
            suite.staff(), "visits"))
        statistics = members.GetEnrollmentStatistics(
            member_pb2.GetEnrollmentStatisticsRequest(), metadata=suite.staff(), timeout=30)
        daily = stations.GetDailyVisitStatistics(
            visit_pb2.GetDailyVisitStatisticsRequest(point=point), metadata=suite.staff(),
            timeout=30)
    stored = [number for number, names in found.items() for _ in names]
    members_lost, members_doubled, _ = tally(acknowledged, sent, stored)
    ids = [uuid.UUID(each).hex for each in kiosk.spool]
    visits_lost, visits_doubled, visits_strange = tally(
        ids[:kiosk.acknowledged], set(ids[:kiosk.highest_sent]),
        [visit.name.removeprefix("visits/") for visit in visits])
    print(f"rounds {ROUNDS}, kills {kills}, longest outage of the kiosk {kiosk.outage:.1f} s")
    print(f"enrollments: {len(acknowledged)} acknowledged of {len(sent)} sent, "
          f"{len(members_lost)} lost, {len(members_doubled)} doubled")
    print(f"visits: {kiosk.acknowledged} acknowledged of {kiosk.highest_sent} sent, "
          f"{len(visits_lost)} lost, {len(visits_doubled)} doubled")
    assert odd == []
    assert acknowledged and kiosk.acknowledged
    assert (members_lost, members_doubled) == ([], [])
    assert len(listed) == len({m.name for m in listed}) == len(stored)
    assert (visits_lost, visits_doubled, visits_strange) == ([], [], [])
    assert statistics.live_members == len(listed)
    assert sum(count.members for count in statistics.counts) == len(listed)
    assert sum(day.visits for day in daily.days) == len(visits)
    suite.stop_all()
    for name in ("members", "stations"):
        audit = suite.verify_audit(name)
        assert audit.returncode == 0, audit.stdout + audit.stderr
        print(f"audit of {name}: {audit.stdout.strip()}")
