"""Stories of members: each with callers who want contrary things at the same moment, and what must
come of it."""

import time

from lives import REASON, Storyteller
from people import enrollment, request_id
from stubs import members
from workload import RETRY_SECONDS

CAMPAIGNS = ("并发行动一", "并发行动二")


class LifeStories(Storyteller):
    NAMES = ("apply", "campaign", "transfer", "pool", "merge", "correct", "erase", "unit")

    def apply(self):
        """Two applications of one person at once: one waits for approval, the other is held for
        it. Two decisions at once: one is made, and the person joins once or not at all."""
        person = self.people.next()
        area = members.Areas(work=self.places.approving_region)
        outcomes = self.at_once(*(
            ("SubmitEnrollment", enrollment(person, areas=area)) for _ in range(2)))
        sent = {answer.enrollment.state: answer.enrollment.name for answer, _ in outcomes if answer}
        pending, held = (sent.get(state) for state in (
            members.ENROLLMENT_STATE_PENDING, members.ENROLLMENT_STATE_HELD))
        if not pending or not held:
            self.chronicle.surprise(f"apply: not one of each: {outcomes}")
            return
        approvals = [("ApproveEnrollment", members.ApproveEnrollmentRequest(
            request_id=request_id(), name=name), ("ENROLLMENT_NOT_WAITING",))
            for name in (pending, held)]
        refusal = ("RefuseEnrollment", members.RefuseEnrollmentRequest(
            request_id=request_id(), name=pending,
            reason=members.ENROLLMENT_REFUSAL_NOT_ELIGIBLE), ("ENROLLMENT_NOT_WAITING",))
        contrary = self.random.choice([approvals, [approvals[0], refusal], None])
        if contrary is None:
            return  # both go on waiting
        _, decided = self.one_of("review", *contrary)
        if decided is not None and decided.enrollment.member:
            self.chronicle.expect(decided.enrollment.member, decided.enrollment.organization)

    def campaign(self):
        """One person in two campaigns at once: one membership, counted in one of them."""
        person = self.people.next()
        outcomes = self.at_once(*(
            ("SubmitEnrollment", enrollment(person, campaign=name)) for name in CAMPAIGNS))
        joined = {answer.enrollment.member for answer, _ in outcomes if answer}
        if len(joined) != 1:
            self.chronicle.surprise(f"campaign: not one membership: {outcomes}")
            return
        [member] = joined
        self.chronicle.campaigners.add(member)
        self.chronicle.expect(member, outcomes[0][0].enrollment.organization)

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
            ("AcceptTransfer", self.accept_transfer(asked), ("TRANSFER_STATE",))
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
        for joined in (one, other):
            self.chronicle.expect(joined.member, joined.organization)
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

    def correct(self):
        """Two corrections at once: one is open. Two decisions at once: one is made."""
        person, joined = self.enroll()
        self.chronicle.expect(joined.member, joined.organization)
        phones = [self.people.next().phone for _ in range(2)]
        index, asked = self.one_of("correction", *(
            ("RequestCorrection", self.request_correction(joined.member, phone),
             ("CORRECTION_OPEN",)) for phone in phones))
        if asked is None or self.random.random() < 0.2:
            return  # it stays open
        decided, _ = self.one_of("decide", *(
            ("DecideCorrection", members.DecideCorrectionRequest(
                request_id=request_id(), name=asked.correction.name, accept=accept,
                reason=REASON), ("CORRECTION_STATE",)) for accept in (True, False)))
        if decided is None:
            return
        shown, _ = self.call("RevealMember", members.RevealMemberRequest(
            request_id=request_id(), name=joined.member, reason=REASON))
        phone = person.phone if decided else phones[index]
        if not shown.phone.endswith(phone):
            self.chronicle.surprise(f"correct: {shown.phone} instead of {phone}")

    def request_correction(self, member, phone):
        return members.RequestCorrectionRequest(
            request_id=request_id(), member=member, reason=REASON,
            data=members.CorrectedData(phone=phone))

    def erase(self):
        """Corrections and an erasure at once; then the same person joins as somebody new."""
        person, joined = self.enroll()
        outcomes = self.at_once(
            *(("RequestCorrection",
               self.request_correction(joined.member, self.people.next().phone),
               ("CORRECTION_OPEN", "MEMBER_NOT_FOUND")) for _ in range(2)),
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
        for joined in enrolled:
            self.chronicle.expect(joined.member, union)
        asked = outcomes[2][0]
        if asked is not None and self.random.random() < 0.5:
            self.call("AcceptTransfer", self.accept_transfer(asked))
            self.chronicle.expect(enrolled[0].member, elsewhere)
