"""What operators do with the store of a gateway that runs, by the command line, on both engines."""

import json
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile

import grpc
import pytest

from clients import Client
from contracts import refused
from people import request_id
from processes import ROOT, wait_until
from stores import PrivateServer
from stubs import accounts, operations
from suite import Suite

CODE = grpc.StatusCode
PARTNERS = 20


class Operated:
    """A gateway without its services: accounts are its own."""

    def __init__(self, folder, binaries, server):
        self.suite = Suite(folder, binaries)
        self.suite.prepare()
        if server:
            file = self.suite.gateway_file
            file.write_text(re.sub(
                'database: "[^"]+"', f'database: "{server.url("gateway")}"', file.read_text()))
        self.suite.start("gateway")
        self.log_tails = self.suite.log_tails
        self.accounts = accounts.AccountsServiceStub(self.suite.client("staff").intercepted)
        self.partners = [self.make_partner(number) for number in range(PARTNERS)]

    def make_partner(self, number):
        request = accounts.CreatePartnerRequest(
            request_id=request_id(), partner=accounts.Partner(display_name=f"平台{number}"))
        return request, self.accounts.CreatePartner(request)

    def yijia(self, *arguments, ok=True):
        """A command on the gateway's configuration; its output."""
        done = subprocess.run(
            [self.suite.binaries / "yijia", *map(str, arguments), "--config",
             self.suite.gateway_file], cwd=ROOT, capture_output=True, text=True, timeout=120)
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, f"{arguments}: {done.returncode}\n{output}"
        return output

    def client(self, identity=None, port=None):
        """A client of the address for operators."""
        port = port or self.suite.ports.operations["gateway"]
        client = Client(f"127.0.0.1:{port}", self.suite.authority,
                        self.suite.metadata("staff"), identity=identity)
        return client, operations.OperationsServiceStub(client.intercepted)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def operated(request, binaries):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="yijia-"))
    server = PrivateServer() if request.param == "postgres" else None
    gateway = None
    try:
        gateway = Operated(folder / "suite", binaries, server)
        yield gateway
    finally:
        if gateway:
            gateway.suite.close()
        if server:
            server.close()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_running_gateway_verifies_its_audit_log(operated):
    heads = operated.suite.folder / "heads.json"
    assert operated.yijia("audit", "verify", "--note", heads).startswith("intact: ")
    assert sum(head["sequence"] for head in json.loads(heads.read_text())) >= PARTNERS
    operated.make_partner(PARTNERS)
    operated.yijia("audit", "verify", "--against", heads)
    noted = json.loads(heads.read_text())
    noted[0]["hash"] = noted[0]["hash"][::-1]
    heads.write_text(json.dumps(noted))
    operated.yijia("audit", "verify", "--against", heads, ok=False)


def test_a_running_gateway_is_backed_up(operated):
    folder = operated.suite.folder / "backup"
    operated.yijia("backup", "create", "--to", folder)
    done = subprocess.run(
        [operated.suite.binaries / "yijia", "backup", "verify", folder], cwd=ROOT,
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "sound: gateway" in done.stdout, done.stdout + done.stderr
    operated.make_partner(PARTNERS + 1)


def test_the_keys_of_a_running_gateway_rotate(operated):
    for ring in ("fields", "hashes"):
        assert "key 2 added" in operated.yijia("keys", "add", "--keyring", ring)
    told = operated.yijia("keys", "apply")
    assert re.search(r"fields: key 1 is needed: \d+ remembered replies", told), told
    # What was sealed under the older key is still read, and the newer one is in use.
    request, reply = operated.partners[0]
    assert operated.accounts.CreatePartner(request) == reply
    made = operated.make_partner(PARTNERS + 2)
    assert "hashes.keyring: 1 older removed" in operated.yijia("keys", "retire")
    rings = [(operated.suite.folder / f"keys/gateway-{name}.keyring").read_text().splitlines()[1:]
             for name in ("fields", "hashes")]
    assert [len(ring) for ring in rings] == [2, 1]
    assert operated.accounts.CreatePartner(made[0]) == made[1]
    assert "every counter" in operated.yijia("statistics", "recount")


def test_only_operators_reach_the_tasks_and_not_by_the_public_port(operated):
    suite = operated.suite
    request = operations.RunTaskRequest(verify_audit=operations.VerifyAuditTask())

    def told(client, stub):
        told = refused(stub.RunTask, request)
        client.close()
        return told.code, told.reason

    tls = suite.folder / "tls"
    assert "CALLER_KIND" in operated.yijia(
        "keys", "apply", "--certificate", tls / "members.crt", "--key", tls / "members.key",
        ok=False)
    # Staff without a certificate of the suite do not even connect; the public port has no such
    # method, whatever certificate is shown.
    assert told(*operated.client())[0] == CODE.UNAVAILABLE
    public = suite.ports.listen["gateway"]
    assert told(*operated.client(port=public)) == (CODE.UNIMPLEMENTED, "METHOD_UNKNOWN")
    assert told(*operated.client(suite.identity("operator"), public)) == (
        CODE.UNIMPLEMENTED, "METHOD_UNKNOWN")
    # Nor is anything else of the gateway's at the operators' address.
    client, _ = operated.client(suite.identity("operator"))
    assert refused(
        accounts.AccountsServiceStub(client.intercepted).ListPartners,
        accounts.ListPartnersRequest()).code == CODE.UNIMPLEMENTED
    client.close()


def test_a_reload_shows_operators_a_renewed_certificate(operated):
    suite = operated.suite
    address = ("127.0.0.1", suite.ports.operations["gateway"])
    shown = ssl.get_server_certificate(address)
    (suite.folder / "tls/gateway.crt").unlink()
    text = suite.gateway_file.read_text()
    suite.prepare()
    suite.gateway_file.write_text(text)
    assert ssl.get_server_certificate(address) == shown
    suite.children["gateway"].send(signal.SIGHUP)
    wait_until(lambda: ssl.get_server_certificate(address) != shown, 10, "the new certificate")
    assert operated.yijia("audit", "verify").startswith("intact: ")
