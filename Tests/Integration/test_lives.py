"""Members and organizations live through everything while services and their database are killed
(SIGKILL): applications, transfers, pool cases, merges, corrections, erasures, units, dissolutions,
moves, covers; callers at once (life_stories, tree_stories).

What SPEC §9 says of members holds afterwards: one live membership a person (1), one open
application, transfer and correction (2), whole transfers and counts that equal the fold of the log
(3), a case dispatched once (4), a tree without rings or members of what is dissolved (5), a
crossing told once (6), everybody counted once (14), reveals logged before anybody saw them, and the
audit chain whole (15), a feed that loses nothing and consumers that agree with it (16), and every
acknowledged write there (17). YIJIA_CRASH_ENGINES, YIJIA_CRASH_ROUNDS and YIJIA_CRASH_SEED as in
test_crash.
"""

import collections
import random
import subprocess
import time

import pytest

from clients import pages
from contracts import refused
from judges import JUDGES, LIVE
from life_stories import CAMPAIGNS, LifeStories
from lives import Chronicle
from people import People, request_id
from processes import wait_until
from stores import Files, PrivateServer
from stubs import members
from suite import Suite
from tally import report, tally
from test_crash import ENGINES, FINISH_SECONDS, ROUNDS, SEED, Chaos
from tree_stories import TreeStories
from witnesses import Follower, Inspector

WORKERS = 5
REGIONS = """\
  - {region_code: "130303", unit_threshold: 3}
  - region_code: "130304"
    rules: [HOLDING_POOL, EMPLOYER_UNION, INDUSTRY_FEDERATION, AREA_UNION]
    approve_first: true
"""
pytestmark = pytest.mark.timeout(ROUNDS * 60 + 300)


class Staff(LifeStories, TreeStories):
    """Lives all stories."""

    NAMES = (*LifeStories.NAMES, *TreeStories.NAMES)


class Places:
    """Where the stories are set."""

    county, pooled_region, approving_region = "q-130303", "340603", "130304"

    def __init__(self, suite):
        self.unions = [suite.organization(name) for name in (
            "q-130303005", "q-130304001", "q-130306001", "q-130321100")]
        self.pool = suite.organization("huaibei-pool")
        self.unit_union = suite.organization("q-tongda")
        self.federations = [
            suite.organization(name) for name in ("q-couriers", "qinhuangdao-trucks")]


@pytest.fixture(scope="module", params=ENGINES)
def suite(request, folder, binaries):
    place = folder / request.param
    stores = Files(place) if request.param == "sqlite" else PrivateServer()
    suite = Suite(place, binaries, stores, replicas=1 if request.param == "sqlite" else 2)
    try:
        suite.prepare()
        for name in ["members", *suite.replicas]:
            file = suite.folder / f"{name}.yaml"
            file.write_text(file.read_text().replace("regions:\n", f"regions:\n{REGIONS}"))
        suite.start(*suite.names)
        suite.import_tree()
        yield suite
    finally:
        suite.close()
        stores.close()


class Outcome:
    """What the workers did and saw until the last of them came to an end."""

    def __init__(self, suite):
        seeds = random.Random(SEED)
        people, places = People(series=11), Places(suite)
        self.chronicle = Chronicle(Staff.NAMES, seeds.random())
        self.chaos = Chaos(suite, seeds.random())
        self.follower = Follower(seeds.random(), [
            suite.inner_client(name, "stations") for name in ("members", *suite.replicas)])
        self.inspector = Inspector(seeds.random(), suite.client("staff"), self.chronicle)
        staff = [Staff(self.chronicle, seeds.random(), suite.client("staff"), people, places)
                 for _ in range(WORKERS)]
        self._workers = [*staff, self.inspector, self.follower]

    def run(self):
        for worker in self._workers:
            worker.start()
        try:
            for _ in range(ROUNDS):
                self.chaos.round(self.await_answers)
            self.await_answers()
            wait_until(lambda: all(self.chronicle.told.values()), 60, "every story")
        finally:
            self.finish()
        problems = [worker.problem for worker in self._workers if worker.problem]
        stuck = [worker for worker in self._workers if worker.is_alive()]
        assert not stuck and not problems, f"{stuck} {problems}\n{self.chaos.suite.log_tails()}"

    def await_answers(self):
        before = self.chronicle.acknowledged
        wait_until(lambda: self.chronicle.acknowledged > before + 5, 60, "acknowledged calls")

    def finish(self):
        """The follower last: nothing comes after what it read then."""
        end = time.monotonic() + FINISH_SECONDS
        for workers in (self._workers[:-1], self._workers[-1:]):
            for worker in workers:
                worker.stopping.set()
            for worker in workers:
                worker.join(max(0, end - time.monotonic()))


@pytest.fixture(scope="module")
def outcome(suite):
    print(f"\nlives on {suite.stores.engine}: seed {SEED} (YIJIA_CRASH_SEED), {ROUNDS} rounds")
    outcome = Outcome(suite)
    outcome.run()
    chronicle = outcome.chronicle
    print(f"  {outcome.chaos.kills} kills; {chronicle.acknowledged} calls acknowledged, "
          f"{chronicle.failures} failed and were repeated; {len(outcome.inspector.seen)} looks; "
          f"{outcome.follower.breaks} breaks of the feed; stories: {chronicle.told}")
    return outcome


@pytest.fixture(scope="module")
def feed(outcome, suite):
    """Every event that the services are told of, in order."""
    stations = suite.inner_client("members", "stations")
    return list(stations.members.WatchMemberEvents(
        members.WatchMemberEventsRequest(stop_at_end=True), timeout=60))


@pytest.fixture(scope="module")
def listed(outcome, suite):
    """All members, as staff see them."""
    return pages(suite.client("staff").members.ListMembers,
                 members.ListMembersRequest(page_size=1_000), "members")


@pytest.fixture(scope="module")
def rows(outcome, feed, listed, suite):
    """Asks a store behind everybody's back, once all services are stopped."""
    # Stations consumes in order: once it knows a newer organization, it knows all before.
    founder = Staff(outcome.chronicle, 0, suite.client("staff"), None, None)
    last = suite.client("staff").members.GetOrganization(members.GetOrganizationRequest(
        name=founder.found_union(Places.county))).organization
    suite.make_point("最后的驿站", last.external_id)
    recount = subprocess.run(
        [suite.binaries / "yijia", "statistics", "recount", "--config",
         suite.folder / "members.yaml"], capture_output=True, text=True, timeout=120)
    suite.stop(*(name for name in suite.names if suite.children[name].is_running))

    def ask(sql, service="members"):
        return suite.stores.run(suite.stores.url(service), sql)

    return ask, recount


def test_of_contrary_calls_at_once_exactly_one_is_done(outcome):
    chronicle = outcome.chronicle
    assert chronicle.surprises == []
    assert chronicle.acknowledged > 0 and outcome.chaos.kills >= ROUNDS


def test_every_acknowledged_change_is_there_and_nobody_is_a_member_twice(outcome, listed, suite):
    """Also: there is no live membership that no story left."""
    chronicle, staff = outcome.chronicle, suite.client("staff").members
    live = {row.name: row.managing_organization for row in listed if row.state in LIVE}
    there = [name for name, place in live.items()
             if place in chronicle.expected.get(name, {place}) and name not in chronicle.merged]
    for name in chronicle.merged:
        found = staff.GetMember(members.GetMemberRequest(name=name)).member
        there += [name] * (found.state == members.MEMBERSHIP_STATE_MERGED)
    lives = tally(chronicle.expected, chronicle.expected, there)
    report(f"lives, {suite.stores.engine}", ROUNDS, [lives], chronicle.outage.longest)
    assert lives.is_sound, lives
    for name, resident_id in chronicle.erased.items():
        told = refused(staff.RevealMember, members.RevealMemberRequest(
            request_id=request_id(), name=name, reason="抹除后核对"))
        assert told.reason == "MEMBER_NOT_FOUND", told
        assert len(suite.members_of(suite.client("staff"), resident_id)) == 1


def test_everybody_is_counted_once(outcome, listed, suite):
    """In every subtree, whatever federation covers it, and in one of two campaigns."""
    staff = suite.client("staff").members
    tree = {row.name: row.parent for row in pages(
        staff.ListOrganizations, members.ListOrganizationsRequest(page_size=1_000),
        "organizations")}
    expected = collections.Counter()
    for row in listed:
        place = row.managing_organization if row.state in LIVE else ""
        while place:
            expected[place] += 1
            place = tree[place]
    for place in tree:
        told = staff.GetEnrollmentStatistics(
            members.GetEnrollmentStatisticsRequest(ancestor=place))
        assert told.live_members + told.retained_members == expected[place], place
    counts = staff.GetEnrollmentStatistics(members.GetEnrollmentStatisticsRequest(
        dimensions=[members.STATISTICS_DIMENSION_CAMPAIGN])).counts
    joined = sum(count.members for count in counts if count.campaign in CAMPAIGNS)
    assert joined == len(outcome.chronicle.campaigners) > 0


def test_a_follower_of_the_feed_missed_nothing(outcome, feed):
    """It resumed from its cursor whenever a service died, at either replica."""
    assert outcome.follower.breaks > 0
    followed = [event.cursor for event in outcome.follower.events]
    # What the service folds by itself may come after the follower's end.
    every = [event.cursor for event in feed][:len(followed)]
    judged = tally(every, every, followed)
    assert judged.is_sound and followed == every, judged


def test_the_feed_has_every_version_of_everything_in_order(feed, rows):
    ask, _ = rows
    versions = collections.defaultdict(list)
    for event in feed:
        if event.entity_version not in versions[event.entity]:
            versions[event.entity].append(event.entity_version)
    for entity, seen in versions.items():
        assert seen == sorted(seen), entity
    for name, version in ask("SELECT id, version FROM memberships"):
        assert versions[f"members/{name}"] == list(range(1, int(version) + 1)), name


def test_a_consumer_of_the_feed_has_what_members_has(rows):
    """Stations, which was killed as well: the tree, and whose each code is."""
    ask, _ = rows
    assert set(ask("SELECT id, parent_id, state FROM organization", "stations")) == set(
        ask("SELECT id, coalesce(parent_id, ''), state FROM organizations"))
    live = ", ".join(map(str, LIVE))
    owned = f"""SELECT m.code_sha256, coalesce(g.survivor_id, m.id) FROM memberships AS m
        LEFT JOIN merges AS g ON g.merged_id = m.id AND g.undone IS NULL
        WHERE m.state IN ({live}) OR g.id IS NOT NULL"""
    assert set(ask("SELECT code_sha256, member_id FROM member_code", "stations")) == set(ask(owned))


def test_a_crossing_is_told_once(feed, rows):
    ask, _ = rows
    triggered = collections.Counter(
        event.entity for event in feed if event.WhichOneof("event") == "unit_changed"
        and event.unit_changed.state == members.UNIT_STATE_TRIGGERED)
    units = ask("SELECT id, crossings FROM units")
    assert units
    for name, crossings in units:
        assert triggered[f"units/{name}"] == int(crossings) <= 1, name


def test_counts_equal_the_fold_of_the_log(rows):
    _, recount = rows
    assert recount.returncode == 0, recount.stdout + recount.stderr


def looks(outcome, ask):
    """What was seen of personal data, judged by the audit log: each look has its own reason."""
    logged = ask("SELECT reason FROM storage_audit "
                 "WHERE action IN ('members.reveal', 'members.export')")
    sent = set(outcome.inspector.sent)
    return tally(sent, outcome.inspector.seen, [reason for reason, in logged if reason in sent])


def test_whatever_was_seen_in_full_is_in_the_audit_log(outcome, rows):
    ask, _ = rows
    judged = looks(outcome, ask)
    assert judged.acknowledged > 0 and judged.is_sound, judged


def test_the_audit_chain_verifies(rows, suite):
    status, said = suite.verify_audit(suite.stores.url("members"))
    assert status == 0 and said.startswith("intact"), said


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.claim.replace(" ", "_"))
class TestJudges:
    def test_it_finds_no_violation(self, rows, judge):
        ask, _ = rows
        assert ask(judge.violations) == []

    def test_it_sees_one(self, rows, judge, suite):
        """The negative control: rows that a half-done or doubled write would leave."""
        url = suite.stores.url("members")
        assert suite.stores.run_after(judge.change, url, judge.violations)


# Further negative controls.


def test_the_judge_sees_a_look_that_was_not_logged(outcome, rows, suite):
    ask, _ = rows
    seen = min(outcome.inspector.seen)
    url = suite.stores.url("members")
    assert looks(outcome, lambda sql: suite.stores.run_after(
        f"DELETE FROM storage_audit WHERE reason = '{seen}'", url, sql)).lost == [seen]


def test_the_judge_sees_an_event_that_a_follower_missed(outcome, feed):
    every = [event.cursor for event in feed]
    missed = [cursor for cursor in every if cursor != every[len(every) // 2]]
    assert tally(every, every, missed).lost == [every[len(every) // 2]]
