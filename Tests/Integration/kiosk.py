"""A kiosk with its own spool: numbered visits, resumed from what was acknowledged."""

import queue
import random
import threading
import uuid

import grpc

from people import now
from stubs import stations


def hello(epoch, version="test/1.0"):
    return stations.ReportVisitsRequest(hello=stations.ReportHello(
        spool_epoch=epoch, device_time=now(), software_version=version))


def visit(sequence, code="", direction=stations.DIRECTION_ARRIVAL, time=None, id=None):
    return stations.ReportVisitsRequest(visit=stations.ReportedVisit(
        sequence=sequence, visit_id=id or str(uuid.uuid4()), device_time=time or now(),
        member_code=code, direction=direction, services_used=[stations.FACILITY_REST]))


class Spool:
    """What a kiosk keeps until it is acknowledged. Thread-safe."""

    def __init__(self):
        self.epoch = str(uuid.uuid4())
        self.acknowledged = 0
        self.requests = []
        self.is_finished = False
        self._changed = threading.Condition()

    def add(self, code="", direction=stations.DIRECTION_ARRIVAL):
        with self._changed:
            self.requests.append(visit(len(self.requests) + 1, code, direction))
            self._changed.notify_all()
            return len(self.requests)

    def finish(self):
        """No more visits come."""
        with self._changed:
            self.is_finished = True
            self._changed.notify_all()

    def acknowledge(self, sequence):
        with self._changed:
            assert sequence <= len(self.requests), "a visit that was never sent is acknowledged"
            self.acknowledged = max(self.acknowledged, sequence)
            self._changed.notify_all()

    def await_next(self, sequence):
        """The visit with that number; None when there will be none."""
        with self._changed:
            while sequence > len(self.requests) and not self.is_finished:
                self._changed.wait(0.5)
            return self.requests[sequence - 1] if sequence <= len(self.requests) else None

    @property
    def ids(self):
        """Visit ids as the service names them, in order of their sequence."""
        return [request.visit.visit_id.replace("-", "") for request in self.requests]


def report(stub, spool, timeout=60, replay=0):
    """One connection of a kiosk: sends what is not acknowledged until the spool is finished.

    `replay` visits that were acknowledged are sent again. Raises what ends the call.
    """
    start = queue.Queue()
    over = threading.Event()

    def requests():
        yield hello(spool.epoch)
        sequence = start.get()
        while sequence is not None and not over.is_set():
            request = spool.await_next(sequence)
            if request is None:
                return
            yield request
            sequence += 1

    call = stub.ReportVisits(requests(), timeout=timeout)
    try:
        welcome = next(call)
        spool.acknowledge(welcome.acknowledged_sequence)
        start.put(max(1, welcome.acknowledged_sequence + 1 - replay))
        notices = []
        for answer in call:
            spool.acknowledge(answer.acknowledged_sequence)
            notices += answer.notices
        return notices
    finally:
        over.set()
        start.put(None)
        call.cancel()


def report_all(stub, codes, spool=None):
    """A finished spool with these visits, reported over one connection; (spool, notices)."""
    spool = spool or Spool()
    for code in codes:
        spool.add(code)
    spool.finish()
    notices = report(stub, spool)
    assert spool.acknowledged == len(spool.requests)
    return spool, notices


def report_until_finished(stub, spool, generator: random.Random, failures, pause):
    """Connects again and again until all of a finished spool is acknowledged.

    `failures` takes each broken connection's code; `pause()` waits before the next.
    """
    while not (spool.is_finished and spool.acknowledged == len(spool.requests)):
        try:
            report(stub, spool, replay=generator.choice([0, 0, 1, 7, 40]))
        except (grpc.RpcError, StopIteration) as error:
            failures.append(error.code().name if isinstance(error, grpc.RpcError) else "ENDED")
            pause()
