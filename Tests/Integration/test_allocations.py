"""The budget of heap allocations: what a unary call may take in the server, counted."""

import re
import shutil
import signal
import subprocess

import grpc
from processes import ROOT, Child, free_port, wait_until

# In the server, of a call with a nested message of 274 bytes that is decoded and encoded again. A
# release build takes 13; in a debug build nothing is specialized or on the stack that could
# be, and 30 are taken: its budget shows a new allocation on the way of every call as well.
CALL_MAX = {"release": 15, "debug": 33}
WARM_UP = 300
CALLS = 1000


def member(bench):
    """The payload that every benchmark has."""
    return bench.Member(
        id="usr_01HZX3V9K2M7Q4", name="Aleksandra Kowalczyk-Nowak", group=bench.GROUP_EDITOR,
        tags=["billing", "on-call", "emea-west"],
        address=bench.Address(
            street="ul. Marszalkowska 104/122", city="Warszawa", postal_code="00-017",
            country="PL"),
        created_at=1699999999123456, updated_at=1719312345678901, score=0.8731,
        orgs=[bench.OrgRef(id="org_7f3a91c2", name="Platform Reliability", rank=1),
              bench.OrgRef(id="org_b21d04ee", name="Customer Identity", rank=4),
              bench.OrgRef(id="org_5590ac17", name="Data Residency Board", rank=12)])


def test_a_unary_call_takes_no_more_allocations_than_its_budget(binaries, folder):
    from bench.v1 import bench_pb2 as bench

    compiler = shutil.which("cc") or shutil.which("clang")
    library = folder / "allocations.so"
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", library, ROOT / "bench/allocations.c"],
        check=True)
    port = free_port()
    server = Child(
        [binaries / "rpc-bench-server", "--port", port], folder / "bench-server.log",
        {"LD_PRELOAD": str(library)})

    def counted():
        """The server's allocations so far; it writes them when it is signalled."""
        before = len(re.findall(r"allocations \d+\n", server.output))
        server.send(signal.SIGUSR1)
        counts = wait_until(
            lambda: re.findall(r"allocations (\d+)\n", server.output)[before:], what="the count")
        return int(counts[0])

    try:
        wait_until(lambda: "listening" in server.output, what="rpc-bench-server")
        request = bench.Request(member=member(bench))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(
                "/bench.v1.Bench/Unary", request_serializer=bench.Request.SerializeToString,
                response_deserializer=bench.Response.FromString)
            for _ in range(WARM_UP):
                assert call(request).member == request.member
            first = counted()
            for _ in range(CALLS):
                call(request)
            a_call = (counted() - first) / CALLS
    finally:
        server.stop()
    budget = CALL_MAX[binaries.resolve().name]
    assert a_call <= budget, f"{a_call} allocations a call, the budget is {budget}"
