"""Stories of the tree of organizations, in the manner of `life_stories`."""

import time

import grpc

from lives import CALL_SECONDS, REASON, Storyteller
from people import enrollment, request_id
from stubs import members
from workload import EXPECTED, RETRY_SECONDS

# What a caller is told who comes to an organization that is dissolved at this moment.
GONE = ("ORGANIZATION_NOT_ACTIVE", "ORGANIZATION_DISSOLVED")


class TreeStories(Storyteller):
    NAMES = ("dissolve", "branch", "ring", "cover")

    def dissolve(self):
        """A union is dissolved while people come to it in every way: accepted, asking, by its code.
        Who came before is pooled, who came after is refused, and nobody stays."""
        union = self.found_union(self.places.county)
        _, joined = self.enroll()
        asked, _ = self.call("RequestTransfer", self.request_transfer(joined.member, union))
        self.call("AcceptTransfer", self.accept_transfer(asked))
        _, coming = self.enroll()
        arrival, _ = self.call("RequestTransfer", self.request_transfer(coming.member, union))
        _, asking = self.enroll()
        issued, _ = self.call("IssueOrganizationCode", members.IssueOrganizationCodeRequest(
            request_id=request_id(), organization=union))
        outcomes = self.at_once(
            ("DissolveOrganization", self.dissolution(union)),
            ("AcceptTransfer", self.accept_transfer(arrival), (*GONE, "TRANSFER_STATE")),
            ("RequestTransfer", self.request_transfer(asking.member, union), GONE),
            ("SubmitEnrollment",
             enrollment(self.people.next(), organization_code=issued.code.text), GONE))
        dissolved, accepted, _, scanned = (answer for answer, _ in outcomes)
        if dissolved is None:
            return
        self.chronicle.expect(joined.member, dissolved.pool)
        self.chronicle.expect(coming.member, dissolved.pool if accepted else coming.organization)
        self.chronicle.expect(asking.member, asking.organization)
        if scanned:
            self.chronicle.expect(scanned.enrollment.member, dissolved.pool)
        here = 1 + bool(accepted) + bool(scanned)
        if dissolved.pooled_members != here:
            self.chronicle.surprise(f"dissolve: pooled {dissolved.pooled_members} of {here}")

    def dissolution(self, union):
        return members.DissolveOrganizationRequest(
            request_id=request_id(), name=union, reason=REASON, pool_members=True)

    def branch(self):
        """A union is dissolved while a branch is founded below it: one of the two is done."""
        union = self.found_union(self.places.county)
        self.one_of(
            "branch",
            ("DissolveOrganization", self.dissolution(union), ("ORGANIZATION_HAS_CHILDREN",)),
            ("CreateOrganization", members.CreateOrganizationRequest(
                request_id=request_id(), organization=members.Organization(
                    display_name="并发测试分会", parent=union, region_code="130303",
                    kind=members.ORGANIZATION_KIND_BRANCH,
                    level=members.ORGANIZATION_LEVEL_BASIC)), GONE))

    def ring(self):
        """Three moves that would make a ring together: two are done."""
        unions = [self.found_union(self.places.county) for _ in range(3)]
        outcomes = self.at_once(*(
            ("MoveOrganization", members.MoveOrganizationRequest(
                request_id=request_id(), name=below, parent=above), ("MOVE_BELOW_ITSELF",))
            for below, above in zip(unions, [*unions[1:], unions[0]])))
        if sum(answer is not None for answer, _ in outcomes) != 2:
            self.chronicle.surprise(f"ring: {outcomes}")

    def cover(self):
        """Two federations begin to cover a union while a member moves to it, and one ceases: the
        member is of the union alone."""
        union = self.found_union(self.places.county)
        _, joined = self.enroll()
        asked, _ = self.call("RequestTransfer", self.request_transfer(joined.member, union))
        self.at_once(
            ("AcceptTransfer", self.accept_transfer(asked)),
            *(("CoverOrganization", members.CoverOrganizationRequest(
                request_id=request_id(), name=federation, organization=union))
              for federation in self.places.federations))
        self.call("UncoverOrganization", members.UncoverOrganizationRequest(
            request_id=request_id(), name=self.random.choice(self.places.federations),
            organization=union))
        self.chronicle.expect(joined.member, union)

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
            time.sleep(RETRY_SECONDS)  # nothing tells when a killed service is back
