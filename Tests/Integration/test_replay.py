"""`yijia replay`: what the papers tell of seven cities and provinces, with their figures."""

import os
import re
import subprocess

import pytest

from processes import ROOT
from stubs import members
from suite import DevelopmentSuite

# A tenth of Baiyin's drivers, so that a test stays short. All of them:
#
#   YIJIA_REPLAY_PART=1 make test STAGES=integration FILTER=test_replay
PART = int(os.environ.get("YIJIA_REPLAY_PART", "10"))
# People, base, coverage, people short of 95 %: the paper's, and of a tenth.
BAIYIN = {1: ["32307", "40000", "80.76 %", "5693"], 10: ["3230", "4000", "80.75 %", "570"]}[PART]
# The figures of the papers (SPEC, seeds) and of examples/replay/plan.yaml, as the table shows them.
FIGURES = {
    "Qinhuangdao": ["818", "635"],
    "Shandong": ["24", "25", "40"],
    "Hefei": ["20", "2"],
    "Huaibei": ["620", "62", "618", "2"],
    "Bengbu": ["50", "2", "8"],
    "Baiyin": [*BAIYIN, "30", "6", "1"],
    "Shenyang": ["80", "4", "6"],
}
# Some 5,000 enrollments of a debug build on a busy machine; all of them are some 34,000.
SECONDS_MAX = 280 if PART > 1 else 600
pytestmark = pytest.mark.timeout(SECONDS_MAX + 20)


def run(suite, *flags):
    """`yijia dev --once --replay`: what it printed."""
    done = subprocess.run(
        [suite.binaries / "yijia", "dev", "--once", "--replay", f"--replay-part={PART}", *flags],
        cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX,
        env={**os.environ, **suite.ports.environment(suite.folder)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table(output, title):
    """{place: [(expected, found), …]} of the replay's table."""
    rows, place = {}, None
    for line in output.split(title, 1)[1].splitlines()[4:]:
        if line.startswith("─"):
            break
        cells = re.split(r"\s{2,}", line.strip())
        if not line.startswith(" "):
            place = cells.pop(0)
        rows.setdefault(place, []).append(tuple(cells[-2:]))
    return rows


@pytest.fixture(scope="module")
def replayed(folder, binaries):
    suite = DevelopmentSuite(folder / "replay", binaries)
    try:
        yield suite, run(suite, "--language", "en")
    finally:
        suite.close()


def test_the_registry_says_what_the_papers_say(replayed):
    rows = table(replayed[1], "The papers, replayed")
    assert {place: [expected for expected, _ in row] for place, row in rows.items()} == FIGURES
    assert {place: [found for _, found in row] for place, row in rows.items()} == FIGURES


def test_a_repeated_replay_doubles_nobody_and_another_client_reads_the_same(replayed):
    suite, _ = replayed
    suite.start(
        "--idle", "--replay", f"--replay-part={PART}", "--language", "zh", seconds=SECONDS_MAX)
    output = suite.child.output
    found = [[found for _, found in row] for row in table(output, "材料重演").values()]
    assert found == list(FIGURES.values())
    staff = suite.client("staff").members
    tree = staff.ListOrganizations(members.ListOrganizationsRequest(page_size=1_000))
    baiyin = next(row.name for row in tree.organizations if row.external_id == "baiyin")
    coverage = staff.GetCoverage(members.GetCoverageRequest(
        organization=baiyin, group=members.OCCUPATION_GROUP_TRUCK_DRIVER))
    found = [coverage.members, coverage.base.people, coverage.people_needed]
    assert [str(number) for number in found] == [BAIYIN[0], BAIYIN[1], BAIYIN[3]]
    assert coverage.target.basis_points == 9_500
    assert (coverage.base.date.year, coverage.base.date.month) == (2022, 4)
    # With another part these are other people and unions: said before anything is done.
    other = subprocess.run(
        [suite.binaries / "yijia", "replay", "--replay-part=7", "--connection",
         suite.folder / "connection.json"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert other.returncode == 1
    assert other.stderr == (
        f"these data are of a replay with --replay-part {PART}: replay the same, or start with "
        "another --data\n")


def test_the_plan_has_the_figures_of_the_paper():
    plan = (ROOT / "examples/replay/plan.yaml").read_text().split("baiyin:", 1)[1]
    people, base, target = (
        int(re.search(rf"^  {name}: (\d+)$", plan, re.MULTILINE)[1])
        for name in ("people", "base", "target_basis_points"))
    assert (people, base, target) == (32_307, 40_000, 9_500)
    assert base * target // 10_000 - people == 5_693
