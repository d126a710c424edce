"""What every fault test says in the end, and insists on."""

from tally import report, tally


class Verdict:
    """Of a load, what is there afterwards."""

    def __init__(self, load, aftermath):
        self.load, self.after = load, aftermath
        record, spool = load.record, load.kiosk.spool
        self.enrollments = tally(
            record.sent, record.acknowledged, [id for id, _ in aftermath.memberships])
        self.visits = tally(
            spool.ids, spool.ids[:spool.acknowledged],
            [row.name.removeprefix("visits/") for row in aftermath.visits])

    def report(self, faults, rounds, outage):
        report(faults, rounds, [self.enrollments, self.visits], outage)
        failed = len(self.load.record.failures) + len(self.load.kiosk.failures)
        print(f"  {failed} calls failed")

    def check_records(self):
        assert self.enrollments.acknowledged > 0 and self.enrollments.is_sound, self.enrollments
        # The kiosk goes on until all is acknowledged.
        assert self.visits.acknowledged == self.visits.sent and self.visits.is_sound, self.visits

    def check_failures(self):
        """Callers were told to retry, and when."""
        assert self.load.record.surprises == []
        assert self.load.record.silent == [], "UNAVAILABLE without RetryInfo"
        assert set(self.load.kiosk.failures) <= {
            "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ENDED"}

    def check_invariants(self):
        """One live membership a person, nobody whom no one sent, counters that equal the rows."""
        after = self.after
        names = [name for _, name in [*after.memberships, *after.hasty_memberships]]
        assert len(set(names)) == len(names)
        assert {member.name for member in after.members} == set(names)
        assert after.statistics.live_members == len(after.members)
        assert sum(count.members for count in after.statistics.counts) == len(after.members)
        assert sum(day.visits for day in after.days) == len(after.visits)

    def check_control(self):
        """Whoever takes the sent for stored, as a service does that answers before its commit,
        loses: the judge sees it."""
        hasty = self.after.hasty
        found = [id for id, _ in self.after.hasty_memberships]
        assert tally(hasty.sent, hasty.acknowledged, found).lost


def check_audit(suite):
    suite.stop("gateway", "stations", "members", *suite.replicas)
    for name in ("members", "stations"):
        status, said = suite.verify_audit(suite.stores.url(name))
        assert status == 0 and said.startswith("intact"), f"{name}: {said}"
