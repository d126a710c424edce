"""A gateway before backends of a test's own."""

import urllib.error
import urllib.request

from processes import wait_until
from stubs import testing
from suite import Suite

SERVICE = "grpc.testing.TestService"


class Fronted:
    """A gateway with an opaque service, and no other service running."""

    def __init__(self, folder, binaries, targets, settings=""):
        """`settings`: more of the gateway's configuration, in YAML."""
        self.suite = Suite(folder, binaries)
        self.suite.prepare()
        file = self.suite.gateway_file
        self.settings = settings + file.read_text()
        self.write(targets)
        self.suite.start("gateway")
        self.log_tails = self.suite.log_tails

    def write(self, targets, more=""):
        """The configuration, with those targets."""
        listed = ", ".join(f'"{target}"' for target in targets)
        self.suite.gateway_file.write_text(
            f"opaque_services:\n  - service: {SERVICE}\n    targets: [{listed}]\n"
            '    identity: ""\n    callers: [partner, staff]\n    staff_role: clerk\n'
            f'    audience: ""\n{more}{self.settings}')

    def admin(self, path, post=False, verb="GET"):
        """(status, text) of a page of the admin port."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.suite.ports.admin['gateway']}{path}",
            method="POST" if post else verb)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def reload(self):
        return self.admin("/reload", post=True)

    def await_replicas(self, *addresses, states=("ready",)):
        """Waits until all of them are in one of the states; calls are sent to ready ones."""
        def are_ready():
            lines = self.admin("/readyz")[1].splitlines()
            return all(
                any(f"{SERVICE} {address} {state}" in line for line in lines for state in states)
                for address in addresses)
        wait_until(are_ready, 20, f"{addresses} {' or '.join(states)}")

    def stub(self, who="partner", **keywords):
        return testing.TestServiceStub(self.suite.client(who, **keywords).intercepted)
