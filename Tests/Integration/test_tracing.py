"""One call is found in the logs of all it passed, by the identifier of its caller's trace."""

import secrets

from contracts import refused
from processes import wait_until
from stubs import members


def test_a_callers_trace_is_in_the_log_lines_of_the_gateway_and_the_service(suite):
    trace = secrets.token_hex(16)
    client = suite.client(
        "staff", extra=[("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")])
    told = refused(client.members.GetMember, members.GetMemberRequest(name=f"members/{'0' * 32}"))
    assert told.reason == "MEMBER_NOT_FOUND"

    def lines(name):
        return [line for line in suite.children[name].output.splitlines() if trace in line]

    for name in ("gateway", "members"):
        # The line is written after the answer.
        wait_until(lambda: lines(name), what=f"a line of {name} with the trace")
        assert any(f"trace_id={trace}" in line or f'"trace_id":"{trace}"' in line
                   for line in lines(name)), lines(name)
