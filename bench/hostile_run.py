"""Attacks the release server beside a client that behaves, and prints what that client felt.

    bench/hostile.sh [ATTACK...]     SECONDS=5 an attack, ATTACKERS=1 processes

The server is rpc-interop-server with one event loop, or with TARGET=gateway the gateway on its TLS
port, with one a processor and rpc-interop-server behind it; the client is then a partner, and so is
the attacker. The server has CPU 0; the client, with priority over the attackers, and they
have CPU 1. Each attack meets a server of its own.

On two processors no one is alone: whoever keeps the server busy costs a client some milliseconds
at times, welcome or not. So the first row is no attack but a neighbor: a client that behaves, with
32 calls under way all the time. An attack is judged by what it costs more than that neighbor:
"beside" is the client's p99 during the attack through that beside the neighbor, at most 2.

Latencies are also those of the machine. A round is the processor time that the server's busiest
loop used between two polls (bench/rounds.c): what those waited that came meanwhile, whatever else
the machine did. It is the p99 by the time in rounds, and that through the neighbor's.

A row: the client's p50 and p99 in milliseconds before and during the attack (medians of those of
each second), p99 through that
before ("alone") and through that with the neighbor ("beside"), calls that failed, the server's CPU
and the most memory it held.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "Tests" / "Conformance"), str(ROOT / "Tests" / "Integration")]

import hostile  # noqa: E402: needs the path
import hostile_attacks  # noqa: E402
import hostile_json  # noqa: E402
from hostile_attacks import Place  # noqa: E402
from hostile_server import Gateway, Server  # noqa: E402

# Every attack; those on JSON need a gateway.
ATTACKS = {**hostile_attacks.ATTACKS, **hostile_json.ATTACKS}
# The client calls at this pace, one call at a time, as a kiosk or a page does.
PACE_SECONDS = 0.002
RATIO_MAX = 2.0


def pin(cpu, niceness=0):
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {cpu})
    with contextlib.suppress(PermissionError):
        os.nice(niceness)


def favor(process):
    """CPU 0 for a server's threads, and priority, where that is allowed."""
    for task in map(int, os.listdir(f"/proc/{process}/task")):
        if os.cpu_count() > 1:
            os.sched_setaffinity(task, {0})
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, task, -10)


class Client:
    """A client that behaves: one connection, small unary calls."""

    def __init__(self, place):
        self.place = place
        self.failures = 0
        self._connect()

    def _connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.place.port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.place.tls:
            self.socket = hostile.client_context().wrap_socket(self.socket)
        self.socket.sendall(hostile.PREFACE + hostile.settings() + hostile.settings(flags=1))
        self.fields = hostile.block(hostile.request("EmptyCall", add=self.place.fields))
        self.buffer = b""
        self.stream = 1
        # The last stream that had a message.
        self.answered = 0

    def call(self):
        """Seconds that a call took; a failed one counts as long as it lasted."""
        start = time.perf_counter()
        try:
            self.socket.sendall(
                hostile.frame(hostile.HEADERS, 4, self.stream, self.fields)
                + hostile.frame(hostile.DATA, 1, self.stream, bytes(5))
            )
            while not self._ended():
                chunk = self.socket.recv(1 << 16)
                if not chunk:
                    raise ConnectionResetError
                self.buffer += chunk
            self.stream += 2
        except OSError:
            self.failures += 1
            self._connect()
        return time.perf_counter() - start

    def _ended(self):
        """Whether the call has ended. One that ends without a message has failed."""
        ended = False
        while len(self.buffer) >= 9:
            end = 9 + int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < end:
                break
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big")
            if stream == self.stream and kind == hostile.DATA:
                self.answered = stream
            if stream == self.stream and kind == hostile.HEADERS and flags & 1:
                ended = True
                self.failures += self.answered != stream
            if kind in (hostile.GOAWAY, hostile.RST_STREAM):
                raise ConnectionResetError
            self.buffer = self.buffer[end:]
        return ended

    def measure(self, seconds):
        """What calls took, a list for each second."""
        start = time.monotonic()
        took = [[] for _ in range(max(1, round(seconds)))]
        while (now := time.monotonic() - start) < seconds:
            took[min(int(now), len(took) - 1)].append(self.call())
            time.sleep(PACE_SECONDS)
        return took


def behave(place, before, during, pipe):
    """The client's process: measures, says so, measures again."""
    pin(1, -10)
    client = Client(place)
    client.measure(0.3)
    pipe.send(client.measure(before))
    pipe.recv()
    pipe.send((client.measure(during), client.failures))


def besiege(name, place, seconds, pipe):
    """An attacker's process."""
    pin(1, 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    siege = hostile_attacks.Siege(place, seconds)
    {"neighbor": hostile_attacks.neighbor, **ATTACKS}[name](siege)
    pipe.send(siege.counts)


def percentile(seconds, share):
    """Of each second, of those the median: an attack lasts, a hiccup of the machine does not."""
    return 1000 * statistics.median(
        statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]
        for values in seconds if len(values) > 1
    )


@contextlib.contextmanager
def preloaded(library, notes):
    """The processes started in this context note the rounds of their loops."""
    added = {"LD_PRELOAD": str(library), "ROUNDS": str(notes)}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def round_p99(path, start, end):
    """The p99 of the rounds in that time, by the time in them, in ms: of each second, of those the
    median, and of the loop where that is most."""
    raw = path.read_bytes()
    count = min(struct.unpack_from("<Q", raw)[0], (len(raw) - 8) // 16)
    loops = {}
    for at, thread, used in struct.iter_unpack("<QII", raw[8 : 8 + 16 * count]):
        if start <= at / 1e6 < end:
            seconds = loops.setdefault(thread, {})
            seconds.setdefault(int(at / 1e6 - start), []).append(used)
    each = (statistics.median(map(last_percent, seconds.values())) for seconds in loops.values())
    return max(each, default=0) / 1000


def last_percent(used):
    """The least of the values that are together a hundredth of the sum."""
    used, left = sorted(used), sum(used) / 100
    while left > used[-1]:
        left -= used.pop()
    return used[-1]


def watch(server, seconds):
    """CPU and the most memory while the attack goes on."""
    start, peak, used = time.monotonic(), 0, server.cpu_seconds()
    while time.monotonic() - start < seconds:
        peak = max(peak, server.resident_bytes())
        time.sleep(0.05)
    return (server.cpu_seconds() - used) / (time.monotonic() - start), peak


def runtime(name):
    """The server of an attack, and where clients find it."""
    server = Server(tls="tls" in name, flags=["--threads", "1"])
    return server, Place(server.port, tls="tls" in name)


def gateway(name):
    server = Gateway()
    favor(server.backend.pid)
    return server, Place(server.port, tls=True, fields=(Gateway.KEY,))


TARGETS = {"runtime": (runtime, hostile_attacks.ATTACKS), "gateway": (gateway, ATTACKS)}


def run(name, start, seconds, attackers, library):
    notes = library.with_name(name)
    with preloaded(library, notes):
        victim, place = start(name)
    with victim:
        favor(victim.pid)
        ours, theirs = multiprocessing.Pipe()
        client = multiprocessing.Process(target=behave, args=(place, 3, seconds, theirs))
        client.start()
        calm = ours.recv()
        reports = [multiprocessing.Pipe() for _ in range(attackers)]
        processes = [
            multiprocessing.Process(
                target=besiege, args=(name, place, seconds, report[1])
            )
            for report in reports
        ]
        for process in processes:
            process.start()
        ours.send("now")
        began = time.monotonic()
        cpu, memory = watch(victim, seconds)
        ended = time.monotonic()
        stormy, failures = ours.recv()
        counts = {}
        for report, process in zip(reports, processes):
            if report[0].poll(20):
                for what, number in report[0].recv().items():
                    counts[what] = counts.get(what, 0) + number
            process.join(5)
            if process.is_alive():
                process.kill()
        client.join()
        alive = victim.is_running
    turn = round_p99(notes.with_name(f"{name}.{victim.pid}"), began, ended)
    p99 = percentile(calm, 0.99), percentile(stormy, 0.99)
    return {
        "attack": name, "p50_before": percentile(calm, 0.5), "p50": percentile(stormy, 0.5),
        "p99_before": p99[0], "p99": p99[1], "alone": p99[1] / p99[0],
        "round": turn,
        "calls": sum(map(len, stormy)),
        "failed": failures, "cpu": cpu, "memory": memory, "alive": alive, "counts": counts,
    }  # fmt: skip


HEAD = (
    f"{'attack':22} {'p50 ms':>13} {'p99 ms':>13} {'alone':>6} {'beside':>6} {'round ms':>12} "
    f"{'failed':>7} {'cpu':>5} {'memory':>8}  what became of the attackers"
)


def row(result):
    counts = ", ".join(f"{number} {what}" for what, number in sorted(result["counts"].items()))
    return (
        f"{result['attack']:22} {result['p50_before']:6.2f}{result['p50']:7.2f} "
        f"{result['p99_before']:6.2f}{result['p99']:7.2f} {result['alone']:6.1f} "
        f"{result['beside']:6.1f} {result['round']:6.2f}{result['rounds']:5.1f}x "
        f"{result['failed']:7} {result['cpu']:4.0%} "
        f"{result['memory'] / (1 << 20):6.0f}MB  {counts}"
        + ("" if result["alive"] else "  THE SERVER DIED")
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of: {', '.join(ATTACKS)}")
    parser.add_argument("--target", choices=TARGETS, default="runtime")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--attackers", type=int, default=1)
    parser.add_argument("--json", help="a file for the figures")
    arguments = parser.parse_args()
    start, known = TARGETS[arguments.target]
    unknown = set(arguments.attacks) - set(known)
    if unknown:
        parser.error(f"no attack {', '.join(sorted(unknown))}")
    print(HEAD, flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="yijia-rounds-") as folder:
        library = pathlib.Path(folder, "rounds.so")
        source = pathlib.Path(__file__).with_name("rounds.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        for name in ["neighbor", *(arguments.attacks or known)]:
            result = run(name, start, arguments.seconds, arguments.attackers, library)
            results.append(result)
            result["beside"] = result["p99"] / results[0]["p99"]
            result["rounds"] = result["round"] / results[0]["round"]
            print(row(result), flush=True)
    over = [result["attack"] for result in results if result["beside"] > RATIO_MAX]
    bad = [result["attack"] for result in results if result["failed"] or not result["alive"]]
    print(f"p99 over {RATIO_MAX:g} times that beside a neighbor: {', '.join(over) or 'none'}")
    print(f"calls failed or the server died: {', '.join(bad) or 'none'}")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=2))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
