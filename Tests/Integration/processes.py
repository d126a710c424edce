"""Child processes, free ports, and waiting for a condition."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Below the kernel's ephemeral ports, so that no outgoing connection takes one meanwhile.
_ports = range(18_000, 32_000)
_taken = set()


def wait_until(condition, seconds=20, what="the condition", step=0.02):
    """Waits until `condition()` is true, and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(step)


def free_port_block(offsets):
    """A base port of which every offset is free just now."""
    for _ in range(200):
        base = random.randrange(_ports.start, _ports.stop - max(offsets))
        block = {base + offset for offset in offsets}
        if not block & _taken and all(_is_free(port) for port in block):
            _taken.update(block)
            return base
    raise AssertionError("no free ports")


def free_port():
    return free_port_block([0])


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Child:
    """A process of ours, its output in a file."""

    def __init__(self, command, log, environment=None, own_group=False):
        self.name = pathlib.Path(command[0]).name
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=own_group,
                env={**os.environ, **(environment or {})})

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process.poll() is None

    def send(self, number):
        if self.is_running:
            self.process.send_signal(number)

    def kill(self):
        """SIGKILL; it is gone when this returns."""
        self.send(signal.SIGKILL)
        return self.process.wait(10)

    def stop(self, seconds=30):
        """SIGTERM; its exit status."""
        self.send(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {seconds} s:\n{self.tail()}")

    def wait(self, seconds):
        return self.process.wait(seconds)

    @property
    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines=25):
        return "\n".join(self.output.splitlines()[-lines:])


def descendants(pid):
    """Processes that `pid` has started, and theirs."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def exists(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
