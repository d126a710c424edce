"""Who lives through kills of the services, and what is known of it: calls that are retried as the
contracts say, contrary calls made at the same moment, and the record of what was acknowledged."""

import random
import threading
import time

import grpc

from clients import pages
from contracts import refusal
from people import application, request_id
from stubs import members
from tally import Outage
from workload import EXPECTED, RETRY_SECONDS, Worker

CALL_SECONDS = 15
TOWNSHIP = "130303001"
REASON = "并发与断电测试"


class Chronicle:
    """What all workers know together. Thread-safe."""

    def __init__(self, stories, seed):
        self.expected = {}    # member -> the organizations that it may be of at the end
        self.merged = {}      # member -> survivor
        self.erased = {}      # member -> resident id
        self.campaigners = set()  # members who applied in two campaigns at once
        self.told = dict.fromkeys(stories, 0)  # story -> how often it came to its end
        self.acknowledged = 0
        self.failures = 0
        self.surprises = []
        self.outage = Outage(time.monotonic)
        self._deck = []
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def draw(self):
        """The next story: each one comes once before any comes again."""
        with self._lock:
            if not self._deck:
                self._deck = list(self.told)
                self._random.shuffle(self._deck)
            return self._deck.pop()

    def expect(self, member, *organizations):
        with self._lock:
            self.expected[member] = set(organizations)

    def note(self, answered):
        with self._lock:
            self.acknowledged += answered
            self.failures += not answered
            if answered:
                self.outage.acknowledged()

    def tell(self, story):
        with self._lock:
            self.told[story] += 1

    def surprise(self, text):
        with self._lock:
            self.surprises.append(text)


class Storyteller(Worker):
    """Lives one story after the other: methods of subclasses, named by the chronicle."""

    def __init__(self, chronicle, seed, client, people, places):
        super().__init__(chronicle, seed)
        self.chronicle, self.client, self.people, self.places = chronicle, client, people, places

    def work(self):
        story = self.chronicle.draw()
        getattr(self, story)()
        self.chronicle.tell(story)

    def call(self, method, request, refusals=()):
        """(answer, None) or (None, reason); retried with the same request id until either."""
        while True:
            try:
                answer = getattr(self.client.members, method)(request, timeout=CALL_SECONDS)
                self.chronicle.note(True)
                return answer, None
            except grpc.RpcError as error:
                if error.code() in EXPECTED:
                    self.chronicle.note(False)
                    time.sleep(RETRY_SECONDS)
                    continue
                reason = refusal(error).reason
                if reason not in refusals:
                    self.chronicle.surprise(f"{method}: {error.code().name} {error.details()}")
                return None, reason

    def at_once(self, *calls):
        """The outcomes of calls that are made at the same moment."""
        outcomes = [None] * len(calls)

        def run(index, call):
            outcomes[index] = self.call(*call)

        threads = [
            threading.Thread(target=run, args=item, daemon=True) for item in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def one_of(self, story, *calls):
        """Index and answer of the one call that succeeded: no other one may."""
        outcomes = self.at_once(*calls)
        done = [index for index, (answer, _) in enumerate(outcomes) if answer is not None]
        if len(done) != 1:
            self.chronicle.surprise(f"{story}: {len(done)} of {len(calls)} done: {outcomes}")
            return None, None
        return done[0], outcomes[done[0]][0]

    def enroll(self, person=None, **changes):
        """The enrollment of a new person."""
        person = person or self.people.next()
        changes.setdefault("areas", members.Areas(work=TOWNSHIP))
        answer, _ = self.call("SubmitEnrollment", members.SubmitEnrollmentRequest(
            request_id=request_id(), application=application(person, **changes)))
        return person, answer.enrollment

    def request_transfer(self, member, receiver):
        return members.RequestTransferRequest(
            request_id=request_id(), member=member, to_organization=receiver, reason=REASON)

    def accept_transfer(self, asked):
        return members.AcceptTransferRequest(request_id=request_id(), name=asked.transfer.name)

    def listed(self, method, request, rows):
        """All rows of a list, whoever is killed meanwhile."""
        while True:
            try:
                return pages(getattr(self.client.members, method), request, rows)
            except grpc.RpcError as error:
                if error.code() not in EXPECTED:
                    raise
                request.ClearField("page_token")
                time.sleep(RETRY_SECONDS)
