"""A suite of real executables in a folder of its own, for tests."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("YIJIA_BIN", ROOT / ".build" / "debug"))
SERVICES = ["members", "stations", "gateway"]


def free_ports(count):
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(count):
            s = stack.enter_context(socket.socket())
            s.bind(("127.0.0.1", 0))
            sockets.append(s)
        return [s.getsockname()[1] for s in sockets]


def environment():
    # A crashed program must not leave a backtracer behind that holds its output.
    return os.environ | {"SWIFT_BACKTRACE": "enable=no", "LC_ALL": "C.UTF-8"}


def wait_until(condition, seconds=30, what="condition"):
    """Waits for a condition, polling; returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true in {seconds} s"
        time.sleep(0.02)


class Suite:
    """Certificates, keys and configurations by `yijia dev --prepare`; processes by hand."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        gateway, members, stations = free_ports(3)
        self.ports = {"gateway": gateway, "members": members, "stations": stations}
        admin = free_ports(3)
        self.flags = [
            "--data", str(self.folder), "--gateway-port", str(gateway),
            "--members-port", str(members), "--stations-port", str(stations)]
        self.offset = self._offset()
        self.flags += ["--admin-offset", str(self.offset)]
        self.processes = {}
        del admin

    def _offset(self):
        # The admin ports must be free too.
        for offset in range(1, 900):
            ports = [port + offset for port in self.ports.values()]
            if len(set(ports) | set(self.ports.values())) == 6 and all(map(self._is_free, ports)):
                return offset
        raise AssertionError("no free admin ports")

    @staticmethod
    def _is_free(port):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                return False
        return True

    def prepare(self):
        subprocess.run([BIN / "yijia", "dev", "--prepare", *self.flags], check=True, cwd=ROOT,
                       env=environment(), timeout=60)
        return self

    def start(self, name):
        log = open(self.folder / "logs" / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [BIN / f"yijia-{name}", "--config", self.folder / f"{name}.yaml"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), cwd=ROOT)
        log.close()

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait(30)

    def terminate(self, name, seconds=40):
        """SIGTERM; returns the exit status."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def wait_serving(self, *names, seconds=60):
        for name in names or SERVICES:
            port = self.ports[name] + self.offset
            wait_until(lambda: self._serves(name, port), seconds, f"{name} serving")

    def _serves(self, name, port):
        status = self.processes[name].poll()
        assert status is None, f"{name} ended with {status}:\n{self.log(name)}"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            try:
                return check(b"", timeout=1) == b"\x08\x01"
            except grpc.RpcError:
                return False

    def start_all(self):
        for name in SERVICES:
            self.start(name)
            self.wait_serving(name)
        return self

    def stop_all(self):
        for name in reversed(SERVICES):
            if name in self.processes:
                self.terminate(name)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(30)
        self.processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, name):
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")[-3000:]

    @property
    def credentials(self):
        return json.loads((self.folder / "keys" / "credentials.json").read_text())

    def channel(self, *options):
        """A channel of its own to the gateway, over TLS."""
        authority = (self.folder / "tls" / "authority.crt").read_bytes()
        return grpc.secure_channel(
            f"localhost:{self.ports['gateway']}", grpc.ssl_channel_credentials(authority),
            options=[("grpc.use_local_subchannel_pool", 1),
                     ("grpc.initial_reconnect_backoff_ms", 100),
                     ("grpc.max_reconnect_backoff_ms", 500), *options])

    def partner(self):
        return (("x-api-key", self.credentials["partnerKey"]),)

    def staff(self):
        return (("authorization", "Bearer " + self.credentials["staffToken"]),)

    def verify_audit(self, name):
        """`yijia audit verify` over a stopped service's store."""
        return subprocess.run(
            [BIN / "yijia", "audit", "verify", "--database",
             f"sqlite:{self.folder / 'data' / name}.sqlite"],
            capture_output=True, text=True, env=environment(), timeout=120)
