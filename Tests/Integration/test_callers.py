"""Who is let in by a token of another issuer, as whom and until when; and what the audit log has
of whoever changed an account."""

import base64
import hashlib
import hmac
import http.server
import json
import re
import threading
import time

import grpc
import pytest

from clients import Client
from contracts import refused
from fronted import Fronted
from interop import WatchedBackend
from people import request_id
from processes import wait_until
from stubs import ACCOUNTS_SERVICE, accounts, callers, testing
from test_proofs import encoded, openssl

CODE = grpc.StatusCode
FILE, PUBLISHED, LATE = (f"https://{name}.example" for name in ("file", "published", "late"))
ACCOUNTS = "/yijia.gateway.v1.AccountsService"
SUBJECT = "zhang.san"
UNPROVEN = (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")


class Signer:
    """A key that signs tokens, by openssl: RS256 without an id, or EdDSA with one."""

    def __init__(self, folder, name, kid=None):
        self.folder, self.name, self.kid = folder, name, kid
        kind = ["ed25519"] if kid else ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        openssl(folder, "genpkey", "-algorithm", *kind, "-out", f"{name}.pem")
        self.public = openssl(folder, "pkey", "-in", f"{name}.pem", "-pubout")

    @property
    def jwk(self):
        der = base64.b64decode("".join(self.public.decode().splitlines()[1:-1]))
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": encoded(der[-32:])}

    def token(self, issuer, subject=SUBJECT, head=(), sign=None, **claims):
        """`claims` that are None are left out; `sign` makes another signature."""
        head = {"alg": "EdDSA" if self.kid else "RS256", "kid": self.kid, **dict(head)}
        body = {"iss": issuer, "aud": "yijia", "sub": subject, "exp": time.time() + 60, **claims}
        signed = ".".join(
            encoded({name: value for name, value in part.items() if value is not None})
            for part in (head, body))
        return f"{signed}.{encoded((sign or self.signature)(signed.encode()))}"

    def signature(self, signed):
        (self.folder / "signed").write_bytes(signed)
        how = (["pkeyutl", "-sign", "-rawin", "-inkey"] if self.kid
               else ["dgst", "-sha256", "-sign"])
        return openssl(
            self.folder, *how, f"{self.name}.pem", *(["-in"] if self.kid else []), "signed")


def key_set(*signers):
    return json.dumps({"keys": [signer.jwk for signer in signers]})


class Publisher:
    """Where an issuer publishes its keys. Until there are any, it sends whoever asks elsewhere."""

    def __init__(self):
        self.keys = None
        self.asked = []
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked.append(self.path)
                if publisher.keys is None:
                    self.send_response(302)
                    self.send_header("location", "/elsewhere")
                    self.end_headers()
                    return
                body = publisher.keys.encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/keys" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Issued:
    """A gateway that knows three issuers: one by a file, one by a file and a URL, one by a URL."""

    def __init__(self, folder, binaries):
        self.folder = folder
        self.backend = WatchedBackend("one")
        self.publisher = Publisher()
        self.own = Signer(folder, "own")
        self.first, self.second = (Signer(folder, kid, kid) for kid in ("k1", "k2"))
        (folder / "own.pub").write_bytes(self.own.public)
        (folder / "published.jwks").write_text(key_set(self.first))
        self.fronted = Fronted(
            folder / "fronted", binaries, [f"127.0.0.1:{self.backend.port}"])
        self.suite, self.log_tails = self.fronted.suite, self.fronted.log_tails
        self.suite.stop("gateway")
        self.suite.add_staff("issued", "administrator")
        text = self.suite.gateway_file.read_text()
        self.staff = re.findall(r"- id: (\w{32})", text)[-1]
        self.suite.gateway_file.write_text("token_issuers:\n" + "".join((
            self._issuer(FILE, "own.pub", "RS256", "    subject_kind: partner\n"),
            self._issuer(PUBLISHED, "published.jwks", "EdDSA", self._published + f"""    scopes:
      - {{scope: read, methods: [{ACCOUNTS}/ListPartners]}}
      - {{scope: found, methods: [{ACCOUNTS}/CreatePartner]}}
"""),
            self._issuer(LATE, "late.jwks", "EdDSA", self._published))) + text)
        self.suite.start("gateway")
        self.fronted.await_replicas(f"127.0.0.1:{self.backend.port}")

    def _issuer(self, name, file, algorithm, more):
        return (f"  - issuer: {name}\n    audience: yijia\n    keys_file: {self.folder}/{file}\n"
                f"    algorithms: [{algorithm}]\n    clock_skew_seconds: 0\n{more}")

    @property
    def _published(self):
        return (f"    keys_url: {self.publisher.url}\n    subjects:\n"
                f"      - {{subject: {SUBJECT}, staff: {self.staff}}}\n")

    def accounts(self, token):
        return accounts.AccountsServiceStub(self._channel(token))

    def service(self, token):
        return testing.TestServiceStub(self._channel(token))

    def _channel(self, token):
        return self.suite._keep(Client(
            self.suite.gateway, self.suite.authority, [("authorization", f"Bearer {token}")]
        )).intercepted

    def close(self):
        self.suite.close()
        self.backend.close()
        self.publisher.close()


@pytest.fixture(scope="module")
def fronted(folder, binaries):
    issued = Issued(folder, binaries)
    yield issued
    issued.close()


@pytest.fixture(scope="module")
def staff(fronted):
    return accounts.AccountsServiceStub(fronted.suite.client("staff").intercepted)


def new_partner(name="平台"):
    return accounts.CreatePartnerRequest(
        request_id=request_id(), partner=accounts.Partner(display_name=name))


def told(call, *arguments):
    refusal = refused(call, *arguments)
    return refusal.code, refusal.reason


def test_a_token_calls_as_the_partner_that_it_names_while_both_hold(fronted, staff):
    name = staff.CreatePartner(new_partner()).partner.name
    subject = name.removeprefix("partners/")
    call = fronted.service(fronted.own.token(FILE, subject)).UnaryCall
    nobody = fronted.service(fronted.own.token(FILE, "0" * 32)).UnaryCall
    assert call(testing.SimpleRequest()).hostname == "one"
    assert told(nobody, testing.SimpleRequest()) == UNPROVEN
    staff.DisablePartner(accounts.DisablePartnerRequest(
        request_id=request_id(), name=name, reason="test"))
    assert told(call, testing.SimpleRequest()) == UNPROVEN
    staff.EnablePartner(accounts.EnablePartnerRequest(
        request_id=request_id(), name=name, reason="test"))
    end = time.time() + 3
    short = fronted.service(fronted.own.token(FILE, subject, exp=end))
    stream = short.StreamingOutputCall(testing.StreamingOutputCallRequest(), timeout=60)
    next(stream)
    assert told(lambda: stream) == UNPROVEN
    assert time.time() >= end
    assert told(short.UnaryCall, testing.SimpleRequest()) == (
        CODE.UNAUTHENTICATED, "CREDENTIAL_EXPIRED")
    assert call(testing.SimpleRequest()).hostname == "one", "the longer token holds"


def shared_secret(key):
    """A signature as of whoever takes a public key for a secret of both."""
    return lambda signed: hmac.digest(key, signed, hashlib.sha256)


@pytest.mark.parametrize("forge", [
    lambda key, _: key.token(PUBLISHED, head={"alg": "none"}, sign=lambda _: b""),
    lambda key, _: key.token(PUBLISHED, head={"alg": "none"}),
    lambda key, _: key.token(PUBLISHED, head={"alg": "HS256"}, sign=shared_secret(key.public)),
    lambda _, own: own.token(
        FILE, "0" * 32, head={"alg": "HS256"}, sign=shared_secret(own.public)),
    lambda _, own: own.token(PUBLISHED, head={"kid": "k1"}),
    lambda key, _: key.token(PUBLISHED, head={"kid": "k3"}),
    lambda key, _: key.token(PUBLISHED, head={"kid": None}),
    lambda key, _: key.token(PUBLISHED, head={"crit": ["exp"]}),
    lambda key, _: key.token(PUBLISHED, sign=lambda _: bytes(64)),
    lambda key, _: key.token(FILE),
    lambda key, _: key.token("https://nobody.example"),
    lambda key, _: key.token(None),
    lambda key, _: key.token(PUBLISHED, aud="another"),
    lambda key, _: key.token(PUBLISHED, aud=None),
    lambda key, _: key.token(PUBLISHED, "li.si"),
    lambda key, _: key.token(PUBLISHED, exp=None),
    lambda key, _: key.token(PUBLISHED, nbf=time.time() + 60),
], ids=[
    "without a signature", "signed, but says none", "with the public key as a secret",
    "with the public key of a file as a secret", "by another issuer's key", "unknown key",
    "without the key's id", "with an extension", "wrong signature", "in another's name",
    "unknown issuer", "no issuer", "other audience", "no audience", "unknown subject", "endless",
    "of tomorrow"])
def test_a_token_that_proves_nothing_is_refused(fronted, forge):
    good = fronted.accounts(fronted.first.token(PUBLISHED, scope="read"))
    assert good.ListPartners(accounts.ListPartnersRequest()) is not None
    forged = fronted.accounts(forge(fronted.first, fronted.own))
    assert told(forged.ListPartners, accounts.ListPartnersRequest()) == UNPROVEN


def test_a_token_that_has_ended_says_so(fronted):
    ended = fronted.accounts(fronted.first.token(PUBLISHED, scope="read", exp=time.time() - 1))
    assert told(ended.ListPartners, accounts.ListPartnersRequest()) == (
        CODE.UNAUTHENTICATED, "CREDENTIAL_EXPIRED")


@pytest.mark.parametrize("scope, lists, founds", [
    ("read", True, False), ("found", False, True), ("read found", True, True),
    (["other", "found"], False, True), ("reader", False, False), (None, False, False)])
def test_a_token_is_good_for_the_methods_of_its_scopes(fronted, scope, lists, founds):
    stub = fronted.accounts(fronted.first.token(PUBLISHED, scope=scope))
    for call, request, granted in (
        (stub.ListPartners, accounts.ListPartnersRequest(), lists),
        (stub.CreatePartner, new_partner(), founds),
        (stub.ListStaff, accounts.ListStaffRequest(), False),
    ):
        if granted:
            assert call(request) is not None
        else:
            assert told(call, request) == (CODE.PERMISSION_DENIED, "METHOD_NOT_GRANTED")


def audit(fronted):
    """(actor, action, target, reason) of each entry."""
    stores = fronted.suite.stores
    return stores.run(
        stores.url("gateway"), "SELECT actor, action, target, reason FROM storage_audit")


def test_the_audit_log_names_whom_a_token_stands_for(fronted):
    stub = fronted.accounts(fronted.first.token(PUBLISHED, scope="found"))
    name = stub.CreatePartner(new_partner()).partner.name
    assert (f"staff/{fronted.staff}", "gateway.create_partner", name, "") in audit(fronted)


class Changes:
    """Makes one change by each method that makes any, and knows what the audit log is to have."""

    def __init__(self, staff, actor):
        self._staff = staff
        self._actor = actor
        self.expected = []
        self.methods = set()

    def make(self, method, target=None, reason="", **fields):
        request = getattr(accounts, f"{method}Request")(request_id=request_id(), **fields)
        if reason:
            request.reason = reason
        response = getattr(self._staff, method)(request)
        action = re.sub("(?<!^)(?=[A-Z])", "_", method).lower()
        made = target or next(iter(response.ListFields()))[1].name
        self.expected.append((self._actor, f"gateway.{action}", made, reason))
        self.methods.add(method)
        return response

    def of_a_partner(self):
        partner = self.make("CreatePartner", partner=accounts.Partner(display_name="台账")).partner
        name = partner.name
        partner.display_name = "改名"
        partner = self.make(
            "UpdatePartner", partner=partner, update_mask={"paths": ["display_name"]}).partner
        self.make("SetPartnerLimits", reason="合同", name=name, etag=partner.etag, limits=[
            accounts.PartnerLimit(calls_per_second=5)])
        key = self.make("CreatePartnerKey", partner=name).key.name
        rotated = self.make("RotatePartnerKey", target=key, name=key)
        self.make("RevokePartnerKey", reason="泄露", name=rotated.key.name)
        certificate = self.make(
            "CreatePartnerCertificate", partner=name, certificate=accounts.PartnerCertificate(
                identity="DNS:backend.partner.example")).certificate.name
        self.make("RevokePartnerCertificate", reason="丢失", name=certificate)
        self.make("DisablePartner", reason="欠费", name=name)
        self.make("EnablePartner", reason="已缴", name=name)

    def of_staff(self):
        account = self.make("CreateStaff", staff=accounts.StaffAccount(
            user_name="zhou.ba", display_name="周八",
            role=callers.STAFF_ROLE_ADMINISTRATOR)).staff
        name, account.display_name = account.name, "周捌"
        self.make("UpdateStaff", reason="更正", staff=account,
                  update_mask={"paths": ["display_name"]})
        self.make("EndStaffSessions", target=name, reason="丢失手机", name=name)
        self.make("DisableStaff", reason="离职", name=name)
        self.make("EnableStaff", reason="返聘", name=name)
        self.make("ResetStaff", reason="忘记密码", name=name)


def test_every_change_of_an_account_is_in_the_audit_log_with_who_what_and_why(fronted):
    before = audit(fronted)
    staff = accounts.AccountsServiceStub(fronted.suite.client("issued").intercepted)
    changes = Changes(staff, f"staff/{fronted.staff}")
    changes.of_a_partner()
    changes.of_staff()
    changing = {method.name for method in ACCOUNTS_SERVICE.methods
                if "request_id" in method.input_type.fields_by_name}
    assert changes.methods == changing, "each method that changes anything is tried"
    refused(staff.DisablePartner, accounts.DisablePartnerRequest(
        request_id=request_id(), name="partners/" + "0" * 32, reason="test"))
    assert sorted(audit(fronted)) == sorted([*before, *changes.expected])


def test_the_keys_that_an_issuer_publishes_replace_those_before(fronted):
    publisher, request = fronted.publisher, accounts.ListPartnersRequest()
    before, after = (
        fronted.accounts(key.token(PUBLISHED, scope="read"))
        for key in (fronted.first, fronted.second))
    late = fronted.accounts(fronted.second.token(LATE))
    wait_until(lambda: len(publisher.asked) >= 2, what="the first downloads")
    # Nothing was published so far: the keys of the file hold, and of an issuer without any nobody
    # knows what to think.
    assert before.ListPartners(request) is not None
    assert told(after.ListPartners, request) == UNPROVEN
    unknown = refused(late.ListPartners, request)
    assert (unknown.code, unknown.reason) == (CODE.UNAVAILABLE, "ISSUER_KEYS_UNKNOWN")
    assert unknown.retry_seconds == 10
    assert set(publisher.asked) == {"/keys"}, "nobody is sent elsewhere for keys"
    publisher.keys = key_set(fronted.second)
    for name in ("published", "late"):
        file = fronted.folder / f"{name}.jwks"
        wait_until(lambda: file.exists() and file.read_text() == publisher.keys, 30, "the keys")
    assert fronted.fronted.reload()[0] == 200  # else within ten seconds
    assert after.ListPartners(request) is not None
    assert late.ListPartners(request) is not None
    assert told(before.ListPartners, request) == UNPROVEN
