"""The primary of a replicated PostgreSQL goes away under load, again and again, in several ways.

No acknowledged write is lost or doubled, writes go on within 30 s, the services come back by
themselves (they are not restarted), and what callers meet meanwhile is UNAVAILABLE with the word
when to retry, never a wrong answer. YIJIA_FAILOVERS sets how often.
"""

import os
import random

import pytest

from cluster import Cluster
from load import Load
from suite import Suite
from verdict import Verdict, check_audit

FAILOVERS = int(os.environ.get("YIJIA_FAILOVERS", "5"))
SEED = int(os.environ.get("YIJIA_CRASH_SEED", random.SystemRandom().randrange(1 << 30)))
RESUME_SECONDS = 30
WAYS = ("kill_leader", "kill_server", "switch_over", "freeze_leader", "freeze_etcd")
pytestmark = pytest.mark.timeout(FAILOVERS * 180 + 600)


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def suite(cluster, folder, binaries):
    suite = Suite(folder / "failover", binaries, cluster, replicas=2)
    try:
        suite.set_up()
        yield suite
    finally:
        suite.close()


@pytest.fixture(scope="module")
def outcome(cluster, suite):
    """Runs the rounds; (verdict, [(way, longest time without a write)])."""
    print(f"\nfailover test: seed {SEED} (YIJIA_CRASH_SEED), {FAILOVERS} rounds")
    ways = [WAYS[index % len(WAYS)] for index in range(FAILOVERS)]
    random.Random(SEED).shuffle(ways)
    rows = []
    with Load(suite, SEED) as load:
        outage = load.record.enrollment_outage
        for way in ways:
            load.await_progress()
            outage.longest = 0.0
            heal = getattr(cluster, way)()
            load.await_progress()
            heal()
            load.await_progress()
            cluster.await_health()
            rows.append((way, outage.longest))
            print(f"  {way:14} {outage.longest:5.1f} s without a write; "
                  f"{len(load.record.acknowledged)} acknowledged so far", flush=True)
    return Verdict(load, load.aftermath()), rows


def test_no_acknowledged_write_is_lost_or_doubled(outcome):
    verdict, rows = outcome
    verdict.report("failover", len(rows), max(seconds for _, seconds in rows))
    verdict.check_records()


def test_writes_resume_in_time(outcome):
    _, rows = outcome
    assert len(rows) == FAILOVERS
    assert all(seconds <= RESUME_SECONDS for _, seconds in rows), rows


def test_callers_were_told_to_retry_and_when(outcome):
    outcome[0].check_failures()


def test_the_services_came_back_by_themselves(outcome, suite):
    assert all(child.is_running for child in suite.children.values())


def test_a_person_has_one_live_membership_and_counters_equal_rows(outcome):
    outcome[0].check_invariants()


def test_the_judge_sees_what_acknowledging_before_the_commit_loses(outcome):
    outcome[0].check_control()


def test_the_audit_chains_verify(outcome, suite):
    check_audit(suite)
