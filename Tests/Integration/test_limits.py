"""What partners may do, at gateways that are killed: rates, and the calls of a day."""

import json
import random
import threading

import grpc
import pytest

from contracts import refusal
from stubs import members
from test_json import Caller

REGION = "/yijia.members.v1.MembersService/GetRegion"
REQUEST = members.GetRegionRequest(name="regions/130302")
QUOTA = 300
LEASE = QUOTA // 50
THREADS = 4


@pytest.fixture(scope="module")
def limited(suite):
    """The suite with two partners that have limits."""
    for who, limits in (
        ("daily_partner", f"{{methods: [{REGION}], calls_per_day: {QUOTA}}}"),
        ("slow_partner", "{calls_per_second: 0.01, burst: 2}"),
    ):
        suite._add_partner(who)
        text = suite.gateway_file.read_text()
        suite.gateway_file.write_text(text.replace(
            f"    name: {who}\n", f"    name: {who}\n    limits: [{limits}]\n", 1))
    suite.restart("gateway")
    return suite


def calls(client, count):
    """How many of so many calls go through, from several threads; what else happens fails."""
    through = []
    wrong = []

    def run():
        for _ in range(count // THREADS):
            try:
                client.members.GetRegion(REQUEST)
                through.append(1)
            except grpc.RpcError as error:
                told = refusal(error)
                if told.reason != "QUOTA_EXCEEDED":
                    wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    return len(through)


def test_a_day_has_no_more_calls_than_its_quota_however_often_the_gateway_is_killed(limited):
    rounds = 6
    total = 0
    for _ in range(rounds):
        total += calls(limited.client("daily_partner"), random.randint(1, 6) * THREADS)
        limited.kill("gateway")
        limited.start("gateway")
    total += calls(limited.client("daily_partner"), 2 * QUOTA)
    assert total <= QUOTA, "never more"
    assert total >= QUOTA - rounds * LEASE, "at most one lease a kill is lost"
    with pytest.raises(grpc.RpcError) as refused:
        limited.client("daily_partner").members.GetRegion(REQUEST)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    told = refusal(refused.value)
    assert told.reason == "QUOTA_EXCEEDED"
    assert 0 < told.retry_seconds <= 86_400


def test_a_json_caller_reads_its_limits_in_the_fields(limited):
    caller = Caller(limited, "slow_partner")
    statuses = []
    for _ in range(3):
        response, body = caller("GET", "/v1/regions/130302")
        statuses.append(response.status)
    assert statuses == [200, 200, 429]
    assert json.loads(body)["code"] == 8
    assert 0 < int(response.getheader("retry-after")) <= 100
    assert response.getheader("ratelimit-policy") == '"rate";q=2;w=200'
    assert response.getheader("ratelimit").startswith('"rate";r=0;t=')
