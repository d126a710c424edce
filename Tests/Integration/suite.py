"""Suites of services: as `yijia dev` runs them, and with each service in the test's hand."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

import grpc

from clients import Client, is_serving, pages
from contracts import refusal
from people import request_id
from processes import ROOT, Child, free_port_block, wait_until
from stores import Files
from stubs import LatLng, members, stations

SERVICES = ("members", "stations", "gateway")
ADMIN_OFFSET = 10
START_SECONDS = 30
# How long a stopping service waits for calls that do not end, such as the feeds of the others.
DRAIN_SECONDS = 2
# Section of the example tree that the staff of one county may act in.
COUNTY = "q-130303"


class Ports:
    """Ports of a suite, as flags of `yijia dev`'s environment."""

    def __init__(self, names=SERVICES):
        count = len(names)
        offsets = range(count)
        base = free_port_block([
            offset + kind * ADMIN_OFFSET for kind in range(3) for offset in offsets])
        self.listen = {name: base + index for index, name in enumerate(names)}
        self.admin = {name: port + ADMIN_OFFSET for name, port in self.listen.items()}
        # Only the gateway's is used: for operators' commands.
        self.operations = {name: port + ADMIN_OFFSET for name, port in self.admin.items()}

    def environment(self, folder):
        ports = {f"YIJIA_{name.upper()}_PORT": str(self.listen[name]) for name in SERVICES}
        return {**ports, "YIJIA_DATA": str(folder), "YIJIA_ADMIN_OFFSET": str(ADMIN_OFFSET),
                "LANG": "C.UTF-8"}


def serves(child, port):
    """Whether it serves; fails at once where the process has ended."""
    assert child.is_running, f"{child.name} ended: {child.process.returncode}\n{child.tail()}"
    return is_serving(port)


class _Logs:
    def log_tails(self):
        logs = sorted((self.folder / "logs").glob("*.log")) if self.folder.exists() else []
        texts = {log.name: log.read_text(errors="replace").splitlines() for log in logs}
        return "\n".join(
            f"== {name}\n" + "\n".join(self._telling(lines)) for name, lines in texts.items())

    @staticmethod
    def _telling(lines):
        """What went wrong inside, however long ago, and the end."""
        errors = [line for line in lines[:-15] if "INTERNAL" in line or "error" in line[:80]]
        return [*errors[-25:], *lines[-15:]]


class DevelopmentSuite(_Logs):
    """`yijia dev`: all in one, as a newcomer starts it."""

    def __init__(self, folder, binaries):
        self.folder = pathlib.Path(folder)
        self.binaries = binaries
        self.ports = Ports()
        self.child = None
        self._clients = []

    def start(self, *flags, own_group=False, seconds=60):
        (self.folder / "connection.json").unlink(missing_ok=True)
        self.output = self.folder / f"dev-{time.monotonic_ns()}.out"
        self.child = Child(
            [self.binaries / "yijia", "dev", *flags], self.output,
            self.ports.environment(self.folder), own_group)
        wait_until(self._is_up, seconds, "yijia dev")

    def _is_up(self):
        assert self.child.is_running, f"yijia dev ended:\n{self.child.tail(60)}"
        return "Ctrl-C" in self.child.output

    def once(self):
        """`yijia dev --once`: what it printed."""
        done = subprocess.run(
            [self.binaries / "yijia", "dev", "--once"], cwd=ROOT, capture_output=True, text=True,
            timeout=120, env={**os.environ, **self.ports.environment(self.folder)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def connection(self):
        return json.loads((self.folder / "connection.json").read_text())

    def client(self, who, language=None, options=()):
        """A client with a credential of connection.json: partner, kiosk, staff."""
        connection = self.connection
        metadata = {
            "partner": ("x-api-key", connection["partner_api_key"]),
            "kiosk": ("x-api-key", connection["kiosk_api_key"]),
            "staff": ("authorization", f"Bearer {connection['staff_token']}"),
        }[who]
        more = [("accept-language", language)] if language else []
        client = Client(
            connection["gateway"], pathlib.Path(connection["ca_file"]).read_bytes(),
            [metadata, *more], options)
        self._clients.append(client)
        return client

    def close(self):
        for client in self._clients:
            client.close()
        if self.child and self.child.is_running:
            self.child.stop(40)


class Suite(_Logs):
    """A suite whose services are started, stopped and killed one by one.

    `stores` says where they keep their data; with `replicas` of the members service more of its
    processes share them: members, members-2 and so on.
    """

    def __init__(self, folder, binaries, stores=None, replicas=1):
        self.folder = pathlib.Path(folder)
        self.binaries = binaries
        self.stores = stores or Files(self.folder)
        self.replicas = [f"members-{number}" for number in range(2, replicas + 1)]
        self.names = (*SERVICES, *self.replicas)
        self.ports = Ports(self.names)
        # What a process gets in its environment, by its name.
        self.environment = {}
        self.children = {}
        self._clients = []

    # Making it

    def set_up(self):
        """Certificates and keys, the example tree, an open point with a kiosk; all serves."""
        self.prepare()
        self.start(*self.names)
        self.import_tree()
        self.add_staff("county", "administrator", self.organization(COUNTY))
        self.restart("gateway")
        self.point, self.kiosk, self.kiosk_key = self.make_point("集成测试驿站")

    def prepare(self):
        """Files of `yijia dev --prepare`, with more callers in the gateway's configuration."""
        subprocess.run(
            [self.binaries / "yijia", "dev", "--prepare"], check=True, cwd=ROOT,
            env={**os.environ, **self.ports.environment(self.folder)}, timeout=60)
        made = json.loads((self.folder / "keys/credentials.json").read_text())
        for name in SERVICES:
            file = self.folder / f"{name}.yaml"
            indent = "" if name == "gateway" else "  "
            file.write_text(file.read_text().replace(
                f"{indent}listen:", f"{indent}drain_seconds: {DRAIN_SECONDS}\n{indent}listen:", 1))
        # A gateway of a test often runs without its services.
        self._change("gateway.yaml", "listen:", "warmup_seconds: 1\nlisten:")
        for name in ("members", "stations"):
            self._change(
                f"{name}.yaml", f"sqlite:{self.folder}/data/{name}.sqlite", self.stores.url(name))
        for name in self.replicas:
            self._add_replica(name)
        self._secrets = {"partner": made["partnerKey"], "staff": made["staffToken"]}
        self._add_partner("other_partner")
        self._add_partner("limited_partner", "/yijia.members.v1.MembersService/GetEnrollment")
        self.add_staff("viewer", "viewer")
        self.add_staff("expired", "administrator", expires="2020-01-01T00:00:00Z")

    def _change(self, file, old, new):
        text = (self.folder / file).read_text()
        assert old in text, f"{file} has no {old}"
        (self.folder / file).write_text(text.replace(old, new))

    def _add_replica(self, name):
        text = (self.folder / "members.yaml").read_text()
        for ports in (self.ports.listen, self.ports.admin):
            text = text.replace(f"port: {ports['members']}}}", f"port: {ports[name]}}}")
        (self.folder / f"{name}.yaml").write_text(text)
        first = f'"127.0.0.1:{self.ports.listen["members"]}"'
        for file in ("gateway.yaml", "stations.yaml"):
            self._change(file, first, f'{first}, "127.0.0.1:{self.ports.listen[name]}"')

    @property
    def gateway_file(self):
        return self.folder / "gateway.yaml"

    def _add_partner(self, who, *methods):
        secret = self._secrets[who] = f"yjp_test_{who}_{request_id()}"
        entry = (f"partners:\n  - id: {_hash(who)[:32]}\n    name: {who}\n"
                 f"    api_key_sha256: {_hash(secret)}\n")
        if methods:
            entry += f"    methods: [{', '.join(methods)}]\n"
        text = self.gateway_file.read_text()
        self.gateway_file.write_text(text.replace("partners:\n", entry, 1))

    def add_staff(self, who, role, organization="", expires="2100-01-01T00:00:00Z"):
        """One more member of staff in the gateway's configuration, which its next start reads."""
        secret = self._secrets[who] = f"yjs_test_{who}_{request_id()}"
        text = self.gateway_file.read_text().rstrip("\n")
        self.gateway_file.write_text(
            f'{text}\n  - id: {_hash(who)[:32]}\n    token_sha256: {_hash(secret)}\n'
            f'    organization: "{organization.removeprefix("organizations/")}"\n'
            f'    role: {role}\n    expire_time: "{expires}"\n')

    def import_tree(self):
        """The example tree, by the command line."""
        connection = self.folder / "connection.json"
        connection.write_text(json.dumps({
            "gateway": self.gateway, "ca_file": str(self.folder / "tls/authority.crt"),
            "partner_api_key": self._secrets["partner"], "kiosk_api_key": "", "kiosk": "",
            "station": "", "staff_token": self._secrets["staff"],
            "proto_root": str(ROOT / "proto"), "admin_ports": self.ports.admin}))
        done = subprocess.run(
            [self.binaries / "yijia", "import", "examples/organizations.csv", "--connection",
             connection], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def organization(self, external_id):
        """Resource name of an organization of the tree."""
        rows = pages(
            self.client("staff").members.ListOrganizations,
            members.ListOrganizationsRequest(page_size=1_000), "organizations")
        return next(row.name for row in rows if row.external_id == external_id)

    def make_point(self, name, external_id="qinhuangdao"):
        """An open point with a kiosk; (point, kiosk, its key)."""
        staff = self.client("staff").stations
        point = stations.Point(
            display_name=name, kind=stations.POINT_KIND_STATION, region_code="130302",
            location=LatLng(latitude=39.93, longitude=119.6), capacity=30,
            managing_organization=self.organization(external_id))
        create = stations.CreatePointRequest(request_id=request_id(), point=point)

        def created():
            try:
                return staff.CreatePoint(create).point.name
            except grpc.RpcError as error:
                # The tree comes by the members' feed: the refusal says that a retry helps.
                told = refusal(error)
                assert told.reason == "ORGANIZATION_NOT_FOUND" and told.retry_seconds, told
                return None

        point = wait_until(created, what="the tree at stations")
        staff.OpenPoint(stations.OpenPointRequest(request_id=request_id(), name=point))
        answer = staff.RegisterKiosk(stations.RegisterKioskRequest(
            request_id=request_id(), point=point, display_name="终端"))
        return point, answer.kiosk.name, answer.api_key

    # Running it

    def start(self, *names, wait=True):
        for name in names:
            service = name.split("-")[0]
            self.children[name] = Child(
                [self.binaries / f"yijia-{service}", "--config", self.folder / f"{name}.yaml"],
                self.folder / "logs" / f"{name}.log", self.environment.get(name))
        if wait:
            self.wait_until_serving(*names)
            if {*SERVICES} <= {*names}:
                # Started beside its services, it may have been refused by them and pause.
                wait_until(self._leads_to_all, START_SECONDS, "the gateway's way to each service")

    def _leads_to_all(self):
        try:
            page = f"http://127.0.0.1:{self.ports.admin['gateway']}/readyz"
            with urllib.request.urlopen(page, timeout=START_SECONDS) as answer:
                return answer.read().splitlines()[0] == b"ready"
        except urllib.error.HTTPError as answer:
            with answer:
                return False

    def wait_until_serving(self, *names):
        for name in names or self.names:
            child = self.children[name]
            wait_until(
                lambda: serves(child, self.ports.admin[name]), START_SECONDS, f"{name} serving")

    def stop(self, *names, seconds=30):
        """SIGTERM, one after the other; all must end with status 0."""
        for name in names:
            status = self.children[name].stop(seconds)
            assert status == 0, f"{name} ended with {status}\n{self.children[name].tail()}"

    def kill(self, *names):
        for name in names:
            self.children[name].send(signal.SIGKILL)
        for name in names:
            self.children[name].wait(10)

    def restart(self, *names):
        self.stop(*names)
        self.start(*names)

    def close(self):
        for client in self._clients:
            client.close()
        for child in self.children.values():
            child.kill()

    # Calling it

    @property
    def gateway(self):
        return f"localhost:{self.ports.listen['gateway']}"

    @property
    def authority(self):
        return (self.folder / "tls/authority.crt").read_bytes()

    def identity(self, name):
        """Key and certificate of a workload."""
        return tuple(
            (self.folder / "tls" / f"{name}.{kind}").read_bytes() for kind in ("key", "crt"))

    def metadata(self, who):
        """The credential of a caller: partner, other_partner, kiosk, staff, viewer, county …"""
        if who is None:
            return []
        if who == "kiosk":
            return [("x-api-key", self.kiosk_key)]
        secret = self._secrets[who]
        if who.endswith("partner"):
            return [("x-api-key", secret)]
        return [("authorization", f"Bearer {secret}")]

    def client(self, who, language=None, options=(), extra=()):
        more = [("accept-language", language)] if language else []
        return self._keep(Client(
            self.gateway, self.authority, [*self.metadata(who), *more, *extra], options))

    def kiosk_client(self, key):
        """A client with the key of another kiosk."""
        return self._keep(Client(self.gateway, self.authority, [("x-api-key", key)]))

    def inner_client(self, service, identity, extra=()):
        """Straight to a service, past the gateway, as the workload `identity`."""
        return self._keep(Client(
            f"127.0.0.1:{self.ports.listen[service]}", self.authority, extra,
            identity=identity and self.identity(identity)))

    def _keep(self, client):
        self._clients.append(client)
        return client

    def members_of(self, staff, resident_id):
        """Memberships of one person, as staff see them."""
        return list(staff.members.ListMembers(
            members.ListMembersRequest(resident_id=resident_id)).members)

    def verify_audit(self, url):
        """`yijia audit verify` of a stopped service's store: (exit status, what it says)."""
        done = subprocess.run(
            [self.binaries / "yijia", "audit", "verify", "--database", url],
            cwd=ROOT, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()
