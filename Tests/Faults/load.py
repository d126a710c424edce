"""The workload of the fault tests: enrollers of several kinds, a kiosk, and one who is hasty."""

import random
import time

from people import People
from processes import wait_until
from test_crash import Aftermath, CodeBook
from workload import BulkEnroller, HastyEnroller, Kiosk, Record, TwinEnroller, UnaryEnroller

FINISH_SECONDS = 90


class Load:
    """Works from `with` to its end; then `aftermath` says what is there."""

    def __init__(self, suite, seed):
        seeds = random.Random(seed)
        self.suite, self.record = suite, Record()
        people = People(series=8)
        clients = [suite.client("partner"), suite.client("other_partner")]
        self.kiosk = Kiosk(
            self.record, seeds.random(), suite.client("kiosk"), CodeBook(suite, self.record))
        self.hasty = HastyEnroller(
            Record(), seeds.random(), suite.client("partner"), People(series=9))
        self._workers = [
            *(UnaryEnroller(self.record, seeds.random(), clients[index % 2], people)
              for index in range(5)),
            TwinEnroller(self.record, seeds.random(), clients, people),
            BulkEnroller(self.record, seeds.random(), suite.client("partner"), people),
            self.kiosk, self.hasty]

    def __enter__(self):
        for worker in self._workers:
            worker.start()
        self.await_progress()
        return self

    def __exit__(self, kind, *_):
        for worker in self._workers:
            worker.stopping.set()
        # All together: after a failure nobody may be able to finish.
        end = time.monotonic() + (0 if kind else FINISH_SECONDS)
        for worker in self._workers:
            worker.join(max(0, end - time.monotonic()))
        problems = [worker.problem for worker in self._workers if worker.problem]
        stuck = [type(worker).__name__ for worker in self._workers if worker.is_alive()]
        assert kind or not (problems or stuck), (problems, stuck)

    def await_progress(self, seconds=60):
        """Waits until an enrollment and a visit more are acknowledged, after this moment."""
        # An answer that was on its way already proves nothing.
        now, visits = time.monotonic() + 0.3, self.kiosk.spool.acknowledged
        wait_until(lambda: self.record.last_acknowledged > now, seconds, "an enrollment")
        wait_until(lambda: self.kiosk.spool.acknowledged > visits, seconds, "a visit")

    def aftermath(self):
        return Aftermath(self.suite, self.record, self.hasty.record)
