"""A PostgreSQL with automatic failover on the loopback interface: etcd, and three Patroni with a
server each. Synchronous and strict: what is acknowledged is on two of them."""

import contextlib
import getpass
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
import urllib.error
import urllib.request

from processes import descendants, exists, free_port_block, wait_until
from stores import Schemas

MEMBERS = ("a", "b", "c")
READY_SECONDS = 90
# How long a leader may be silent before another takes its place (Patroni's default is 30 s).
TTL_SECONDS = 10


def _as_server(command):
    """The server refuses root. Becomes the program itself, so that its process is the one known."""
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *command]


def _programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else pathlib.Path(shutil.which("postgres")).parent


class Cluster(Schemas):
    """Started, hurt in several ways, and ended with all its processes."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="yijia-cluster-"))
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        os.chmod(self.folder, 0o755)
        base = free_port_block(range(8))
        self.etcd_ports = (base, base + 1)
        self.server_ports = {name: base + 2 + 2 * i for i, name in enumerate(MEMBERS)}
        self.api_ports = {name: base + 3 + 2 * i for i, name in enumerate(MEMBERS)}
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.server_ports.values())
        super().__init__(f"postgres://yijia@{hosts}/postgres")
        self.processes = {}
        # Patroni is ours, since Debian 12's is too old (see requirements.txt); what it needs is
        # Debian's. The server's user may not look into our environment.
        ours = pathlib.Path(importlib.util.find_spec("patroni").origin).parent
        shutil.copytree(ours, self.folder / "lib/patroni")

    def start(self):
        client, peer = (f"http://127.0.0.1:{port}" for port in self.etcd_ports)
        self._spawn("etcd", [
            "etcd", "--name", "one", "--data-dir", self.folder / "etcd",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"one={peer}", "--unsafe-no-fsync"])
        for name in MEMBERS:
            self._write(name)
            self.start_member(name)
            # The first initializes, the others copy it.
            wait_until(lambda: self.leader, READY_SECONDS, "a leader", step=0.2)
        self.await_health()
        self.run(self._superuser_url(), "CREATE ROLE yijia LOGIN SUPERUSER")

    def _superuser_url(self):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.server_ports.values())
        user = getpass.getuser() if os.getuid() else "postgres"
        return f"postgres://{user}@{hosts}/postgres?target_session_attrs=read-write"

    def _write(self, name):
        user = getpass.getuser() if os.getuid() else "postgres"
        (self.folder / f"{name}.yaml").write_text(textwrap.dedent(f"""\
            scope: yijia
            name: {name}
            restapi:
              listen: 127.0.0.1:{self.api_ports[name]}
              connect_address: 127.0.0.1:{self.api_ports[name]}
            etcd3: {{hosts: ["127.0.0.1:{self.etcd_ports[0]}"]}}
            bootstrap:
              dcs:
                ttl: {TTL_SECONDS}
                loop_wait: 2
                retry_timeout: 3
                synchronous_mode: true
                synchronous_mode_strict: true
                postgresql:
                  use_pg_rewind: true
                  use_slots: true
                  parameters:
                    wal_level: replica
                    hot_standby: "on"
                    wal_log_hints: "on"
                    max_connections: 100
                    shared_buffers: 32MB
              initdb: [{{encoding: UTF8}}, {{locale: C}}]
            postgresql:
              listen: 127.0.0.1:{self.server_ports[name]}
              connect_address: 127.0.0.1:{self.server_ports[name]}
              bin_dir: {_programs()}
              data_dir: {self.folder}/{name}
              pgpass: {self.folder}/{name}.pgpass
              authentication:
                superuser: {{username: {user}, password: none}}
                replication: {{username: replicator, password: none}}
                rewind: {{username: rewinder, password: none}}
              pg_hba:
                - host all all 127.0.0.1/32 trust
                - local all all trust
                - host replication all 127.0.0.1/32 trust
              parameters:
                unix_socket_directories: {self.folder}
                log_min_messages: fatal
            watchdog: {{mode: "off"}}
            """))

    def _spawn(self, name, command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in _as_server(command)], cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(self.folder / "lib")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)

    def start_member(self, name):
        self._spawn(name, ["/usr/bin/python3", "-m", "patroni", self.folder / f"{name}.yaml"])

    # What it says of itself

    def _ask(self, name, path="cluster"):
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.api_ports[name]}/{path}", timeout=2) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return None

    @property
    def states(self):
        """Role and state of each member, by any that answers."""
        for name in MEMBERS:
            answer = self._ask(name)
            if answer:
                return {row["name"]: (row["role"], row["state"]) for row in answer["members"]}
        return {}

    @property
    def leader(self):
        return next((name for name, (role, state) in self.states.items()
                     if role == "leader" and state == "running"), None)

    def is_healthy(self):
        """All three run, one leads, and it waits for the one that may take its place."""
        states = self.states
        leader = next((name for name, (role, _) in states.items() if role == "leader"), None)
        standby = next((name for name, (role, _) in states.items() if role == "sync_standby"), None)
        if not (leader and standby) or any(
                state not in ("running", "streaming") for _, state in states.values()):
            return False
        # The keys in etcd may be older than the last fault.
        rows = (self._ask(leader, "patroni") or {}).get("replication", [])
        return len(rows) == len(MEMBERS) - 1 and any(
            (row["application_name"], row["sync_state"]) == (standby, "sync") for row in rows)

    def await_health(self):
        try:
            wait_until(self.is_healthy, READY_SECONDS, "a healthy cluster", step=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.states}\n{self.tails()}")

    def tails(self, lines=12):
        return "\n".join(
            f"== {name}\n" + "\n".join((self.folder / f"{name}.log").read_text(
                errors="replace").splitlines()[-lines:]) for name in (*MEMBERS, "etcd"))

    def postmaster(self, name):
        return int((self.folder / name / "postmaster.pid").read_text().split()[0])

    def _server_processes(self, name):
        pid = self.postmaster(name)
        return [pid, *descendants(pid)]

    # Hurting it: each returns what makes it whole again

    def kill_leader(self):
        """As a machine that is gone: Patroni and server."""
        name = self.leader
        victims = self._server_processes(name)
        self._signal(signal.SIGKILL, [self.processes[name].pid, *victims])
        self.processes[name].wait(10)
        return lambda: self.start_member(name)

    def kill_server(self):
        """The server alone: its Patroni starts it again."""
        self._signal(signal.SIGKILL, [self.postmaster(self.leader)])
        return lambda: None

    def switch_over(self):
        """As for maintenance."""
        leader = self.leader
        body = json.dumps({"leader": leader}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_ports[leader]}/switchover", body,
            {"Content-Type": "application/json"}, method="POST")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=30)
        return lambda: None

    def freeze_etcd(self, seconds=TTL_SECONDS + 5):
        """Nobody can prove any more that it leads."""
        etcd = self.processes["etcd"]
        etcd.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        etcd.send_signal(signal.SIGCONT)
        return lambda: None

    def freeze_leader(self):
        """A machine that hangs: its connections stay open, and nothing answers."""
        name = self.leader
        frozen = [self.processes[name].pid, *self._server_processes(name)]
        self._signal(signal.SIGSTOP, frozen)
        return lambda: self._signal(signal.SIGCONT, frozen)

    @staticmethod
    def _signal(number, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self):
        pids = [process.pid for process in self.processes.values()]
        for name in MEMBERS:
            with contextlib.suppress(OSError, ValueError, IndexError):
                pids += self._server_processes(name)
        self._signal(signal.SIGKILL, pids)
        for process in self.processes.values():
            process.wait(10)
        wait_until(lambda: not any(exists(pid) for pid in pids), 10, "the end of the cluster")
        shutil.rmtree(self.folder, ignore_errors=True)
