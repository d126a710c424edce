"""A kiosk for tests: a spool in memory that survives every failure of the suite."""
import threading
import time
import uuid

import grpc
from stubs import Stations, visit_pb2


class Kiosk:
    """Reports numbered visits; resumes where the service says that the epoch stands."""

    def __init__(self, suite, metadata):
        self.suite, self.metadata = suite, metadata
        self.epoch = str(uuid.uuid4())
        self.spool = []            # visit ids by sequence - 1
        self.acknowledged = 0      # highest acknowledged sequence
        self.highest_sent = 0
        self.outage = 0.0          # longest time without a new acknowledgement
        self._last = 0.0
        self._stop = threading.Event()

    def scan(self):
        self.spool.append(str(uuid.uuid4()))

    def visit(self, sequence):
        visit = visit_pb2.ReportedVisit(
            sequence=sequence, visit_id=self.spool[sequence - 1],
            direction=visit_pb2.DIRECTION_ARRIVAL)
        visit.device_time.GetCurrentTime()
        return visit_pb2.ReportVisitsRequest(visit=visit)

    def hello(self):
        hello = visit_pb2.ReportHello(spool_epoch=self.epoch, software_version="test")
        hello.device_time.GetCurrentTime()
        return visit_pb2.ReportVisitsRequest(hello=hello)

    def session(self, channel, pace=0.002):
        """One stream, until it breaks or the kiosk stops."""
        ready, start = threading.Event(), [0]
        broken = threading.Event()

        def requests():
            yield self.hello()
            ready.wait(20)
            sequence = start[0]
            while not self._stop.is_set() and not broken.is_set():
                self.scan() if sequence == len(self.spool) else None
                sequence += 1
                self.highest_sent = max(self.highest_sent, sequence)
                yield self.visit(sequence)
                time.sleep(pace)

        try:
            for response in Stations(channel).ReportVisits(requests(), metadata=self.metadata):
                if not ready.is_set():
                    start[0] = response.acknowledged_sequence
                    ready.set()
                assert response.acknowledged_sequence >= self.acknowledged, "an ack went back"
                self.acknowledged = response.acknowledged_sequence
                if self._last:
                    self.outage = max(self.outage, time.monotonic() - self._last)
                self._last = time.monotonic()
        finally:
            broken.set()
            ready.set()

    def run(self, channel):
        while not self._stop.is_set():
            try:
                self.session(channel)
            except grpc.RpcError:
                self._stop.wait(0.05)

    def stop(self):
        self._stop.set()
