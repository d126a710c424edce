"""Who looks on while services are killed: a service that follows the feed of members, and staff who
see personal data in full. What they saw is judged by what the store says afterwards."""

import grpc

from people import request_id
from stubs import members
from workload import EXPECTED, Worker

# A follower whose stream never breaks learns nothing about resuming.
FOLLOW_SECONDS = 2
CALL_SECONDS = 10
PAUSE_SECONDS = 0.02


class Follower(Worker):
    """Consumes the feed as services do: from the cursor of the last event on, at any replica,
    whenever its stream ends."""

    def __init__(self, seed, clients):
        super().__init__(None, seed)
        self.clients, self.events, self.breaks = clients, [], 0

    def work(self):
        self.follow(timeout=FOLLOW_SECONDS)

    def finish(self):
        while not self.follow(stop_at_end=True, timeout=60):
            pass

    def follow(self, timeout, **request):
        """Whether the stream came to its end."""
        cursor = self.events[-1].cursor if self.events else ""
        try:
            for event in self.random.choice(self.clients).members.WatchMemberEvents(
                    members.WatchMemberEventsRequest(cursor=cursor, **request), timeout=timeout):
                self.events.append(event)
            return True
        except grpc.RpcError as error:
            assert error.code() in EXPECTED, error
            self.breaks += 1
            self.pause()
            return False


class Inspector(Worker):
    """Sees members in full, each time for a reason of its own, which the audit log must have before
    the data leave the service."""

    def __init__(self, seed, client, chronicle):
        super().__init__(None, seed)
        self.client, self.chronicle = client, chronicle
        self.sent, self.seen = [], set()

    def work(self):
        self.stopping.wait(PAUSE_SECONDS)
        known = list(self.chronicle.campaigners)  # nobody erases them
        if not known:
            return
        name, reason = self.random.choice(known), f"核对 {request_id()}"
        self.sent.append(reason)
        try:
            self.random.choice([self.reveal, self.export])(name, reason)
        except grpc.RpcError as error:
            assert error.code() in EXPECTED, error
            self.pause()

    def reveal(self, name, reason):
        """Retried with its request id: one entry, however often it is sent. Or given up."""
        request = members.RevealMemberRequest(request_id=request_id(), name=name, reason=reason)
        while True:
            try:
                self.client.members.RevealMember(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if error.code() not in EXPECTED or self.random.random() < 0.3:
                    raise
                self.pause()
                continue
            self.seen.add(reason)
            return

    def export(self, name, reason):
        """Its first part is enough to have seen something, whatever becomes of the others."""
        request = members.ExportPersonalDataRequest(name=name, reason=reason)
        for _ in self.client.members.ExportPersonalData(request, timeout=CALL_SECONDS):
            self.seen.add(reason)
