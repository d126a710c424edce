"""What staff do to members and organizations while services are killed: each story with callers who
want contrary things at the same moment, retried as the contracts say, and what must come of it."""

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

    def __init__(self):
        self.expected = {}    # member -> the organizations that it may be of at the end
        self.merged = {}      # member -> survivor
        self.erased = {}      # member -> resident id
        self.told = {}        # story -> how often it came to its end
        self.acknowledged = 0
        self.failures = 0
        self.surprises = []
        self.outage = Outage(time.monotonic)
        self._lock = threading.Lock()

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
            self.told[story] = self.told.get(story, 0) + 1

    def surprise(self, text):
        with self._lock:
            self.surprises.append(text)


class Staff(Worker):
    """Lives one story after the other."""

    def __init__(self, chronicle, seed, client, people, places):
        super().__init__(chronicle, seed)
        self.chronicle, self.client, self.people, self.places = chronicle, client, people, places
        self.stories = [
            self.transfer, self.pool, self.merge, self.erase, self.unit, self.dissolve, self.ring]

    def work(self):
        story = self.random.choice(self.stories)
        story()
        self.chronicle.tell(story.__name__)

    # Calls

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

    # Stories

    def transfer(self):
        """Two wishes at once: one is open. Two acceptances at once: one moves the member."""
        _, joined = self.enroll()
        receivers = self.random.sample(self.places.unions, 2)
        index, asked = self.one_of("transfer", *(
            ("RequestTransfer", self.request_transfer(joined.member, receiver), ("TRANSFER_OPEN",))
            for receiver in receivers))
        if asked is None:
            return
        self.one_of("accept", *(
            ("AcceptTransfer", members.AcceptTransferRequest(
                request_id=request_id(), name=asked.transfer.name), ("TRANSFER_STATE",))
            for _ in range(2)))
        self.chronicle.expect(joined.member, receivers[index])

    def pool(self):
        """Two custodians at once: one dispatches the case, and one confirmation places."""
        _, joined = self.enroll(areas=members.Areas(work=self.places.pooled_region))
        waiting = self.listed("ListPoolCases", members.ListPoolCasesRequest(
            ancestor=self.places.pool, page_size=1_000), "pool_cases")
        case = next(row.name for row in waiting if row.member == joined.member)
        receivers = self.random.sample(self.places.unions, 2)
        index, _ = self.one_of("assign", *(
            ("AssignPoolCase", members.AssignPoolCaseRequest(
                request_id=request_id(), name=case, receiver=receiver), ("POOL_CASE_STATE",))
            for receiver in receivers))
        if index is None:
            return
        self.one_of("confirm", *(
            ("ConfirmPoolCase", members.ConfirmPoolCaseRequest(
                request_id=request_id(), name=case), ("POOL_CASE_STATE",)) for _ in range(2)))
        self.chronicle.expect(joined.member, receivers[index])

    def merge(self):
        """Same and distinct at once: one is judged; what is merged is undone at times."""
        first, one = self.enroll()
        second = self.people.next()
        _, other = self.enroll(second, phone=first.phone)
        for enrollment in (one, other):
            self.chronicle.expect(enrollment.member, enrollment.organization)
        found = self.listed("ListDuplicates", members.ListDuplicatesRequest(
            page_size=1_000), "duplicates")
        name = next((row.name for row in found if {row.person.member, row.other.member}
                     == {one.member, other.member}), None)
        if name is None:
            self.chronicle.surprise("merge: no duplicate was noticed")
            return
        judge = [members.JudgeDuplicateRequest(
            request_id=request_id(), name=name, survivor=survivor, reason=REASON)
            for survivor in (one.member, "")]
        index, _ = self.one_of(
            "judge", *(("JudgeDuplicate", request, ("DUPLICATE_STATE",)) for request in judge))
        if index != 0:
            return
        if self.random.random() < 0.5:
            self.one_of("undo", *(
                ("UndoMerge", members.UndoMergeRequest(
                    request_id=request_id(), name=name, reason=REASON), ("DUPLICATE_STATE",))
                for _ in range(2)))
        else:
            self.chronicle.merged[other.member] = one.member

    def erase(self):
        """Corrections and an erasure at once; then the same person joins as somebody new."""
        person, joined = self.enroll()
        corrections = [members.RequestCorrectionRequest(
            request_id=request_id(), member=joined.member, reason=REASON,
            data=members.CorrectedData(phone=self.people.next().phone)) for _ in range(2)]
        outcomes = self.at_once(
            *(("RequestCorrection", request, ("CORRECTION_OPEN", "MEMBER_NOT_FOUND"))
              for request in corrections),
            ("ErasePersonalData", members.ErasePersonalDataRequest(
                request_id=request_id(), name=joined.member, reason=REASON)))
        if outcomes[2][0] is None:
            return
        self.chronicle.erased[joined.member] = person.resident_id
        _, again = self.enroll(person)
        if again.member == joined.member:
            self.chronicle.surprise("erase: the erased record came back")
        self.chronicle.expect(again.member, again.organization)

    def unit(self):
        """Three of a unit form a union, twice at once, while one of them wishes to be elsewhere."""
        employer = f"并发{self.random.randrange(10**9)}公司"
        enrolled = [self.enroll(employer_name=employer)[1] for _ in range(3)]
        union, elsewhere = self.places.unit_union, self.random.choice(self.places.unions)
        unit = None
        end = time.monotonic() + 30
        while unit is None:
            if time.monotonic() > end:
                self.chronicle.surprise("unit: it was not triggered in 30 s")
                return
            rows = self.listed(
                "ListUnits", members.ListUnitsRequest(page_size=1_000), "units")
            unit = next((row.name for row in rows if row.display_name == employer), None)
            time.sleep(0 if unit else 4 * RETRY_SECONDS)  # nothing tells staff of a fold
        self.call("AssignUnit", members.AssignUnitRequest(
            request_id=request_id(), name=unit, union=union))
        self.call("GuideUnit", members.GuideUnitRequest(request_id=request_id(), name=unit))
        form = [members.FormUnitUnionRequest(request_id=request_id(), name=unit, union=union)
                for _ in range(2)]
        outcomes = self.at_once(
            *(("FormUnitUnion", request, ("UNIT_STATE",)) for request in form),
            ("RequestTransfer", self.request_transfer(enrolled[0].member, elsewhere)))
        formed = [answer for answer, _ in outcomes[:2] if answer is not None]
        if len(formed) != 1 or formed[0].members_moved != 3:
            self.chronicle.surprise(f"unit: formed {len(formed)} times: {formed}")
        for enrollment in enrolled:
            self.chronicle.expect(enrollment.member, union)
        asked = outcomes[2][0]
        if asked is not None and self.random.random() < 0.5:
            self.call("AcceptTransfer", members.AcceptTransferRequest(
                request_id=request_id(), name=asked.transfer.name))
            self.chronicle.expect(enrolled[0].member, elsewhere)

    def dissolve(self):
        """A union is dissolved while somebody comes: nobody is a member of what is no more."""
        union = self.found_union(self.places.county)
        _, joined = self.enroll()
        asked, _ = self.call("RequestTransfer", self.request_transfer(joined.member, union))
        self.call("AcceptTransfer", members.AcceptTransferRequest(
            request_id=request_id(), name=asked.transfer.name))
        _, coming = self.enroll()
        outcomes = self.at_once(
            ("DissolveOrganization", members.DissolveOrganizationRequest(
                request_id=request_id(), name=union, reason=REASON, pool_members=True)),
            ("RequestTransfer", self.request_transfer(coming.member, union),
             ("ORGANIZATION_NOT_ACTIVE", "ORGANIZATION_DISSOLVED")))
        if outcomes[0][0] is not None:
            self.chronicle.expect(joined.member, outcomes[0][0].pool)
        self.chronicle.expect(coming.member, coming.organization)

    def ring(self):
        """Two moves that would make a ring together: one is done."""
        one, other = self.found_union(self.places.county), self.found_union(self.places.county)
        self.one_of("ring", *(
            ("MoveOrganization", members.MoveOrganizationRequest(
                request_id=request_id(), name=below, parent=above), ("MOVE_BELOW_ITSELF",))
            for below, above in ((one, other), (other, one))))

    def found_union(self, parent):
        """A new union, open at once; retried with its request id until it is stored."""
        request = members.ImportOrganizationsRequest(
            request_id=request_id(), row=1, external_id=request_id(), parent_external_id=parent,
            display_name="并发测试联合工会", kind=members.ORGANIZATION_KIND_JOINT_UNION,
            level=members.ORGANIZATION_LEVEL_BASIC, region_code="130303", takes_individuals=True)
        while True:
            try:
                for answer in self.client.members.ImportOrganizations(
                        iter([request]), timeout=CALL_SECONDS):
                    if answer.WhichOneof("result") == "organization":
                        self.chronicle.note(True)
                        return answer.organization.name
                    if answer.error.code != grpc.StatusCode.UNAVAILABLE.value[0]:
                        raise AssertionError(f"no union was founded: {answer.error}")
            except grpc.RpcError as error:
                if error.code() not in EXPECTED:
                    raise
            self.chronicle.note(False)
            time.sleep(RETRY_SECONDS)
