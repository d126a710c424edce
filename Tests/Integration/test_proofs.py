"""Partners without a key: by a certificate, or by a token that their own issuer signed."""

import base64
import json
import re
import subprocess
import time

import grpc
import pytest

from clients import Client
from contracts import refused
from stubs import members
from suite import Suite

CODE = grpc.StatusCode
URI = "spiffe://partner.example/backend"


def openssl(folder, *arguments, text=b""):
    return subprocess.run(
        ["openssl", *arguments], cwd=folder, input=text, check=True, capture_output=True).stdout


def certificate(folder, name, authority=None, uri=None):
    """Key and certificate NAME.key, NAME.crt, signed by an authority or by itself."""
    openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out",
            f"{name}.csr")
    extensions = folder / f"{name}.ext"
    extensions.write_text(
        f"subjectAltName=URI:{uri}\n" if uri else "basicConstraints=critical,CA:TRUE\n")
    signer = (["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial"]
              if authority else ["-signkey", f"{name}.key"])
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-days", "2", "-out", f"{name}.crt",
            "-extfile", extensions, *signer)
    return tuple((folder / f"{name}.{kind}").read_bytes() for kind in ("key", "crt"))


def encoded(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with an Ed25519 key, by openssl."""

    def __init__(self, folder):
        self.folder = folder
        openssl(folder, "genpkey", "-algorithm", "ed25519", "-out", "issuer.pem")
        public = openssl(folder, "pkey", "-in", "issuer.pem", "-pubout", "-outform", "DER")
        (folder / "issuer.jwks").write_text(json.dumps({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": encoded(public[-32:])}]}))

    def token(self, **claims):
        head = {"alg": "EdDSA", "kid": "k1"}
        body = {"iss": "https://id.example", "aud": "yijia", "sub": "backend",
                "exp": int(time.time()) + 60, **claims}
        signed = f"{encoded(head)}.{encoded(body)}"
        (self.folder / "signed").write_text(signed)
        signature = openssl(
            self.folder, "pkeyutl", "-sign", "-inkey", "issuer.pem", "-rawin", "-in", "signed")
        return f"{signed}.{encoded(signature)}"


@pytest.fixture(scope="module")
def issuer(folder):
    return Issuer(folder)


@pytest.fixture(scope="module")
def suite(folder, binaries, issuer):
    certificate(folder, "partners")
    suite = Suite(folder / "suite", binaries)
    suite.prepare()
    text = suite.gateway_file.read_text()
    partner = re.search(r"- id: (\w{32})\n +name: other_partner", text)[1]
    text = text.replace(
        "certificate:\n", f"certificate:\n  client_authorities_file: {folder}/partners.crt\n", 1)
    text = text.replace(
        f"- id: {partner}\n", f"- id: {partner}\n    certificates: ['URI:{URI}']\n", 1)
    suite.gateway_file.write_text(
        "token_issuers:\n  - issuer: https://id.example\n    audience: yijia\n"
        f"    keys_file: {folder}/issuer.jwks\n    algorithms: [EdDSA]\n    subjects:\n"
        f"      - {{subject: backend, partner: {partner}}}\n" + text)
    try:
        suite.start("members", "stations", "gateway")
        suite.import_tree()  # and with it what commands connect by
        yield suite
    finally:
        suite.close()


def lists(client):
    return client.members.ListEnrollments(members.ListEnrollmentsRequest()) is not None


def test_a_certificate_of_the_partners_authority_proves_its_partner(suite, folder):
    client = Client(
        suite.gateway, suite.authority, identity=certificate(folder, "known", "partners", URI))
    assert lists(client)
    client.close()
    plain = Client(suite.gateway, suite.authority)
    told = refused(plain.members.ListEnrollments, members.ListEnrollmentsRequest())
    assert (told.code, told.reason) == (CODE.UNAUTHENTICATED, "CALLER_UNPROVEN")
    plain.close()


def test_another_name_proves_nobody_and_another_authority_is_not_let_in(suite, folder):
    other = Client(suite.gateway, suite.authority, identity=certificate(
        folder, "other", "partners", "spiffe://partner.example/other"))
    told = refused(other.members.ListEnrollments, members.ListEnrollmentsRequest())
    assert told.code == CODE.UNAUTHENTICATED
    other.close()
    certificate(folder, "strangers")
    stranger = Client(suite.gateway, suite.authority, identity=certificate(
        folder, "stranger", "strangers", URI))
    with pytest.raises(grpc.RpcError) as caught:
        stranger.members.ListEnrollments(members.ListEnrollmentsRequest(), timeout=5)
    assert caught.value.code() in (CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED)
    stranger.close()


def test_a_certificate_counts_over_http_1_too(suite, folder):
    certificate(folder, "curl", "partners", URI)
    done = subprocess.run(
        ["curl", "--silent", "--fail-with-body", "--http1.1", "--cacert",
         suite.folder / "tls/authority.crt", "--cert", folder / "curl.crt", "--key",
         folder / "curl.key", f"https://{suite.gateway}/v1/enrollments"],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr


def yijia(suite, binaries, *arguments):
    done = subprocess.run(
        [binaries / "yijia", "partners", *arguments, "--connection",
         suite.folder / "connection.json"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_command_line_lets_a_certificate_in_and_out_and_limits_it(suite, folder, binaries):
    name = yijia(suite, binaries, "create", "--display-name", "证书平台")[0].split()[0]
    identity = certificate(folder, "shown", "partners", "spiffe://partner.example/shown")
    client = Client(suite.gateway, suite.authority, identity=identity)
    request = members.ListEnrollmentsRequest()
    assert refused(client.members.ListEnrollments, request).code == CODE.UNAUTHENTICATED
    added = yijia(suite, binaries, "certificates", "add", name, "--file", folder / "shown.crt")[0]
    assert lists(client)
    assert added in yijia(suite, binaries, "certificates", "list", name)
    method = "/yijia.members.v1.MembersService/ListEnrollments"
    limits = yijia(
        suite, binaries, "limits", name, "--method", method, "--calls-per-day", "2", "--reason",
        "trial")
    assert limits == [f"{method}  2 calls/day"] == yijia(suite, binaries, "limits", name)
    assert lists(client) and lists(client)
    assert refused(client.members.ListEnrollments, request).reason == "QUOTA_EXCEEDED"
    assert any(
        line.split() == [method, "2", "2"] for line in yijia(suite, binaries, "usage", name))
    yijia(suite, binaries, "limits", name, "--method", method, "--clear", "--reason", "contract")
    assert lists(client)
    yijia(suite, binaries, "certificates", "revoke", added.split()[0], "--reason", "lost")
    assert refused(client.members.ListEnrollments, request).reason == "CALLER_UNPROVEN"
    client.close()


def test_a_signed_token_proves_its_partner_until_it_ends(suite, issuer):
    def client(token):
        return Client(suite.gateway, suite.authority, [("authorization", f"Bearer {token}")])

    good = client(issuer.token())
    assert lists(good)
    good.close()
    for claims in ({"aud": "x"}, {"sub": "x"}, {"iss": "x"}, {"exp": int(time.time()) - 60}):
        bad = client(issuer.token(**claims))
        told = refused(bad.members.ListEnrollments, members.ListEnrollmentsRequest())
        assert told.code == CODE.UNAUTHENTICATED, claims
        bad.close()
