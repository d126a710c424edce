"""The servers that hostile peers attack, as children."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile

from processes import free_port_block, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary(name):
    """YIJIA_BIN names the folder of the built executables (.build/debug by default)."""
    folder = pathlib.Path(os.environ.get("YIJIA_BIN", ROOT / ".build" / "debug"))
    assert (folder / name).is_file(), f"no {name} in {folder}: swift build, or set YIJIA_BIN"
    return folder / name


def certificate(folder):
    """A self-signed certificate and its key, for one run."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
            "-out",
            chain,
            "-keyout",
            key,
        ],
        check=True,
        capture_output=True,
    )
    return chain, key


class Victim:
    """A server under attack, by its process: what it uses."""

    pid = 0

    @property
    def is_running(self):
        return self.process.poll() is None

    def resident_bytes(self):
        pages = pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self._folder.cleanup()


class Server(Victim):
    """rpc-interop-server on a port of its own; a context."""

    def __init__(self, tls=False, flags=()):
        self._folder = tempfile.TemporaryDirectory(prefix="yijia-hostile-")
        folder = pathlib.Path(self._folder.name)
        if tls:
            chain, key = certificate(folder)
            flags = [*flags, "--tls-cert", chain, "--tls-key", key]
        self.process = subprocess.Popen(
            [binary("rpc-interop-server"), "--port", "0", *map(str, flags)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no"},
        )
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)\s*$", line)
        assert found, f"the server did not say where it listens: {line!r}"
        self.port, self.pid = int(found.group(1)), self.process.pid


class Gateway(Victim):
    """bench/gateway-under-test with every duty, on a TLS port before a server; a context."""

    KEY = ("x-api-key", "bench-partner-key")

    def __init__(self):
        self.backend = Server(flags=["--inner"])
        self._folder = tempfile.TemporaryDirectory(prefix="yijia-hostile-")
        self.port = free_port_block([0, 1_000])
        self.process = subprocess.Popen(
            [ROOT / "bench" / "gateway-under-test"],
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "SWIFT_BACKTRACE": "enable=no",
                "LISTEN": str(self.port),
                "BACKEND": str(self.backend.port),
                "TLS": "1",
                "RELEASE": str(binary("yijia-gateway").parent),
                "TMPDIR": self._folder.name,
            },
        )
        wait_until(self._answers, what="the gateway")
        self.pid = self.process.pid

    def _answers(self):
        assert self.process.poll() is None, "the gateway ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        super().__exit__()
        self.backend.__exit__()
