"""A large tree of organizations is imported through the gateway in one stream: a result for every
row in their order, wrong rows named, a repetition changes nothing, and all of it is exported again;
the memory of the service does not follow the number of rows.

YIJIA_IMPORT_ROWS sets the number of rows (SPEC §3: 100,000)."""

import os
import pathlib
import time
import uuid

import pytest

from processes import wait_until
from stubs import members
from suite import Suite

ROWS = int(os.environ.get("YIJIA_IMPORT_ROWS", "10000"))
STREAM_SECONDS = 60 + ROWS // 200
# What the service may take beyond its size with the smallest tree, in MB: windows and caches, which
# are the same for any number of rows.
GROWTH_MAX_MB = 64
NAMESPACE = uuid.UUID("7d2f1d0e-6f0c-4d5a-9a3f-3f1f7a6b9c11")
pytestmark = pytest.mark.timeout(4 * STREAM_SECONDS)

KIND, LEVEL = members.OrganizationKind.Value, members.OrganizationLevel.Value
# From the root down: how many of each, and what they are. Unions are the rest.
LEVELS = [
    (1, "REGIONAL_FEDERATION", "NATIONAL", "000000"),
    (10, "REGIONAL_FEDERATION", "PROVINCE", "130000"),
    (100, "REGIONAL_FEDERATION", "CITY", "130300"),
    (1_000, "REGIONAL_FEDERATION", "COUNTY", "130303"),
]
UNION = ("JOINT_UNION", "BASIC", "130303")
WRONG_EVERY = 500
WRONG = ["PARENT_NOT_FOUND", "INVALID_FIELDS", "ORGANIZATION_CONFLICT"]


def wrong(row):
    """The reason for which a row is refused; None for one that is stored."""
    return WRONG[row // WRONG_EVERY % len(WRONG)] if row and row % WRONG_EVERY == 0 else None


def place(row):
    """(parent's row, kind, level, region) of a row; those above are fewer by ten."""
    first = 0
    for count, *what in LEVELS:
        if row < first + count:
            above = first - count // 10
            return (above + (row - first) // 10 if row else None, *what)
        first += count
    return (first - LEVELS[-1][0] + row % LEVELS[-1][0], *UNION)


def request(row):
    parent, kind, level, region = place(row)
    if parent is not None and wrong(parent):
        parent += 1  # what was refused has nothing below it
    reason, name = wrong(row), f"第{row}号工会"
    return members.ImportOrganizationsRequest(
        request_id=str(uuid.uuid5(NAMESPACE, str(row))), row=row,
        external_id="row-1" if reason == "ORGANIZATION_CONFLICT" else f"row-{row}",
        parent_external_id="" if parent is None else
        "nowhere" if reason == "PARENT_NOT_FOUND" else f"row-{parent}",
        display_name="会" if reason == "INVALID_FIELDS" else name,
        kind=KIND(f"ORGANIZATION_KIND_{kind}"), level=LEVEL(f"ORGANIZATION_LEVEL_{level}"),
        region_code=region, takes_individuals=kind == UNION[0])


class Imported:
    """A suite with an empty tree, and what became of every row, twice."""

    def __init__(self, suite):
        self.suite = suite
        self.staff = suite.client("staff").members
        self.send(1)
        self.before, start = self.memory(), time.monotonic()
        self.first = self.send(ROWS)
        self.seconds = time.monotonic() - start
        self.growth, start = self.memory() - self.before, time.monotonic()
        self.second = self.send(ROWS)
        self.again_seconds = time.monotonic() - start

    def send(self, rows):
        return list(self.staff.ImportOrganizations(
            (request(row) for row in range(rows)), timeout=STREAM_SECONDS))

    def memory(self):
        """The most that members ever held, in MB."""
        pid = self.suite.children["members"].pid
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1_024


@pytest.fixture(scope="module")
def imported(folder, binaries):
    suite = Suite(folder / "suite", binaries)
    try:
        suite.prepare()
        suite.start(*suite.names)
        imported = Imported(suite)
        print(f"\n  {ROWS} organizations imported in {imported.seconds:.1f} s, again in "
              f"{imported.again_seconds:.1f} s; members grew from {imported.before} by "
              f"{imported.growth} MB")
        yield imported
    finally:
        suite.close()


def test_every_row_has_its_result_in_order(imported):
    assert [answer.row for answer in imported.first] == list(range(ROWS))
    for row, answer in enumerate(imported.first):
        reason = wrong(row)
        if reason is None:
            assert answer.organization.external_id == f"row-{row}", answer
        else:
            assert answer.error.reason == reason, answer
    named = {told.field for answer in imported.first for told in answer.error.field_violations}
    assert named == {"display_name"}


def test_a_repetition_changes_nothing(imported):
    assert imported.second == imported.first


def test_all_of_it_is_exported_parents_first(imported):
    names = set()
    for answer in imported.staff.ExportOrganizations(
            members.ExportOrganizationsRequest(), timeout=STREAM_SECONDS):
        assert not names or answer.parent_external_id in names
        names.add(answer.organization.external_id)
    assert names == {f"row-{row}" for row in range(ROWS) if wrong(row) is None}


def test_the_memory_of_the_service_is_bounded(imported):
    assert imported.growth <= GROWTH_MAX_MB
