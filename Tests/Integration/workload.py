"""Who works while services are killed: partners and a kiosk that retry as the contracts say."""

import contextlib
import random
import threading
import time

import grpc

from contracts import refusal
from kiosk import Spool, report_until_finished
from people import application, request_id
from stubs import members
from tally import Outage

# What a caller may meet while services die; each is answered by a retry with the same request id.
EXPECTED = {
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED,
}
CALL_SECONDS = 10
RETRY_SECONDS = 0.05


class Record:
    """What all workers know together. Thread-safe."""

    def __init__(self):
        self.sent = {}           # resident id -> person
        self.acknowledged = set()
        self.failures = []       # codes met
        self.surprises = []      # what no worker should meet
        self.silent = []         # UNAVAILABLE that doesn't say when to retry
        self.last_acknowledged = 0.0
        self.enrollment_outage = Outage(time.monotonic)
        self._lock = threading.Lock()

    def send(self, person):
        with self._lock:
            self.sent[person.resident_id] = person

    def acknowledge(self, person):
        with self._lock:
            self.acknowledged.add(person.resident_id)
            self.enrollment_outage.acknowledged()
            self.last_acknowledged = time.monotonic()

    def fail(self, error):
        """Notes a failed call; whether a retry is right."""
        with self._lock:
            self.failures.append(error.code().name)
            if error.code() not in EXPECTED:
                self.surprises.append(f"{error.code().name}: {error.details()}")
            elif error.code() == grpc.StatusCode.UNAVAILABLE and not refusal(error).retry_seconds:
                self.silent.append(error.details())
        return error.code() in EXPECTED


class Worker(threading.Thread):
    """Works until told to stop; what it has begun it brings to its end."""

    def __init__(self, record, seed):
        super().__init__(daemon=True)
        self.record = record
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.problem = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.work()
            self.finish()
        except BaseException as error:  # told to the test, which has to fail
            self.problem = error

    def finish(self):
        pass

    def pause(self):
        """Before a retry: so that a service that is away costs no processor."""
        time.sleep(RETRY_SECONDS)


class UnaryEnroller(Worker):
    """One person after the other; retried with the same request id, some given up."""

    def __init__(self, record, seed, client, people):
        super().__init__(record, seed)
        self.client, self.people = client, people

    def work(self):
        person = self.people.next()
        self.record.send(person)
        self.submit(self.client, person, gives_up=self.random.random() < 0.2)

    def submit(self, client, person, gives_up=False):
        request = members.SubmitEnrollmentRequest(
            request_id=request_id(), application=application(person))
        name = None
        while True:
            try:
                answer = client.members.SubmitEnrollment(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if not self.record.fail(error) or gives_up:
                    return
                self.pause()
                continue
            self.record.acknowledge(person)
            if name is None and self.random.random() < 0.05:
                name = answer.enrollment.name  # and again: the reply must be the first one
                continue
            assert name in (None, answer.enrollment.name), "a retry made a second enrollment"
            return


class HastyEnroller(Worker):
    """Takes what it has sent for stored, without an answer or a retry: the negative control."""

    def __init__(self, record, seed, client, people):
        super().__init__(record, seed)
        self.client, self.people = client, people

    def work(self):
        person = self.people.next()
        self.record.send(person)
        self.record.acknowledge(person)
        try:
            self.client.members.SubmitEnrollment(
                members.SubmitEnrollmentRequest(
                    request_id=request_id(), application=application(person)),
                timeout=CALL_SECONDS)
        except grpc.RpcError:
            self.pause()


def be_hasty(client, people, kill, records=400, answers=20):
    """A bulk stream whose records are taken for stored when they are sent: the negative control.

    `kill()` ends the service as soon as it has answered some of them: most of the others are on
    their way then, on a fast machine as on a slow one. Returns what was sent and acknowledged.
    """
    record = Record()
    persons = [people.next() for _ in range(records)]
    for person in persons:
        record.send(person)
    requests = iter([members.EnrollMembersRequest(
        request_id=request_id(), row=row, application=application(person))
        for row, person in enumerate(persons)])
    with contextlib.suppress(grpc.RpcError):
        for answer in client.members.EnrollMembers(requests, timeout=60):
            if answer.WhichOneof("result") == "enrollment":
                record.acknowledge(persons[answer.row])
                if len(record.acknowledged) == answers:
                    kill()
    return record


class TwinEnroller(UnaryEnroller):
    """The same person twice at once, over two connections with two request ids."""

    def __init__(self, record, seed, clients, people):
        super().__init__(record, seed, clients[0], people)
        self.clients = clients

    def work(self):
        person = self.people.next()
        self.record.send(person)
        other = threading.Thread(target=self.submit, args=(self.clients[1], person), daemon=True)
        other.start()
        self.submit(self.clients[0], person)
        other.join()


class BulkEnroller(Worker):
    """Batches on the bulk stream; what was not answered is sent again with its request id."""

    BATCH = 150

    def __init__(self, record, seed, client, people):
        super().__init__(record, seed)
        self.client, self.people = client, people

    def work(self):
        batch = {}
        for row in range(1, self.BATCH + 1):
            person = self.people.next()
            self.record.send(person)
            batch[row] = person, members.EnrollMembersRequest(
                request_id=request_id(), row=row, application=application(person))
        while batch:
            try:
                requests = iter([request for _, request in batch.values()])
                for answer in self.client.members.EnrollMembers(requests, timeout=CALL_SECONDS):
                    if answer.WhichOneof("result") == "error":
                        # A service that goes away may refuse a record: UNAVAILABLE, kept for later.
                        if answer.error.code != grpc.StatusCode.UNAVAILABLE.value[0]:
                            self.record.surprises.append(f"record refused: {answer.error}")
                        continue
                    person, _ = batch.pop(answer.row)
                    self.record.acknowledge(person)
            except grpc.RpcError as error:
                if not self.record.fail(error):
                    return
                self.pause()


class Kiosk(Worker):
    """Scans members and passers-by into its spool, and reports it over and over."""

    # Visits not yet acknowledged, beyond which nobody comes: else a slow machine never catches up.
    WAITING = 500

    def __init__(self, record, seed, client, codes):
        super().__init__(record, seed)
        self.client, self.codes = client, codes
        self.spool = Spool()
        self.outage = Outage(time.monotonic)
        self.failures = []
        self._reporter = threading.Thread(target=self._report, daemon=True)
        self._reporter.start()

    def work(self):
        known = self.codes()
        before = self.spool.acknowledged
        room = self.WAITING - (len(self.spool.requests) - before)
        for _ in range(min(room, self.random.randint(1, 12))):
            code = self.random.choice(known) if known and self.random.random() < 0.6 else ""
            self.spool.add(code)
        self.stopping.wait(self.random.uniform(0.005, 0.05))
        if self.spool.acknowledged > before:
            self.outage.acknowledged()

    def finish(self):
        self.spool.finish()
        self._reporter.join(60)
        assert not self._reporter.is_alive(), "the kiosk's spool was not acknowledged in time"

    def _report(self):
        try:
            report_until_finished(
                self.client.stations, self.spool, random.Random(self.random.random()),
                self.failures, self.pause)
        except BaseException as error:
            self.problem = error
