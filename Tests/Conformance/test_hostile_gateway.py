"""The floods of bench/hostile_run.py on the gateway's TLS port, each for a moment: the gateway
lives, its memory is bounded, and another client keeps its service. `make hostile TARGET=gateway`
has them last, and measures what that client feels."""

import concurrent.futures
import sys

import pytest

from hostile_server import ROOT, Gateway

sys.path.append(str(ROOT / "bench"))

import hostile  # noqa: E402: needs the path
import hostile_attacks  # noqa: E402
import hostile_run  # noqa: E402

SECONDS = 0.25
# Incomplete bodies may take 256 MiB together.
MEMORY_GROWTH_MAX = 384 << 20


@pytest.fixture(scope="module")
def gateway():
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def place(gateway):
    return hostile_attacks.Place(gateway.port, tls=True, fields=(Gateway.KEY,))


@pytest.fixture(scope="module")
def client(place):
    return hostile_run.Client(place)


@pytest.mark.parametrize("name", hostile_run.ATTACKS)
def test_flood(name, gateway, place, client):
    before, failures = gateway.resident_bytes(), client.failures
    siege = hostile_attacks.Siege(place, SECONDS)
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        attack = executor.submit(hostile_run.ATTACKS[name], siege)
        while not attack.done():
            client.measure(0.1)
        attack.result()
    assert gateway.is_running and gateway.backend.is_running
    assert client.failures == failures, "the other client's calls failed"
    assert gateway.resident_bytes() - before < MEMORY_GROWTH_MAX
    assert siege.counts.get("connections") and "smuggled" not in siege.counts


def test_a_body_that_states_too_much_is_refused_before_any_of_it(gateway):
    peer = hostile.Peer(gateway.port, tls=True)
    try:
        peer.greet()
        peer.headers(1, hostile.request(
            _path="/v1/enrollments", content_type="application/json", content_length="5000000",
            add=[Gateway.KEY]))
        assert peer.outcome(1) == "http:413"
    finally:
        peer.close()
