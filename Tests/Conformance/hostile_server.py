"""The server that hostile peers attack: a child that says where it listens."""

import os
import pathlib
import re
import subprocess
import tempfile

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


class Server:
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
        self.port = int(found.group(1))

    @property
    def is_running(self):
        return self.process.poll() is None

    def resident_bytes(self):
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
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
        self.process.stdout.close()
        self._folder.cleanup()
