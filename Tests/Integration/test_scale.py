"""The maker of members for scale measurements, on both engines and with few of them: what it fills
is a registry like any other, and on PostgreSQL it is spread over the partitions."""

import subprocess

import pytest

MEMBERS = 4000


def run(program, *arguments):
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def settings(folder, database):
    """A configuration of members with a store and keyrings of its own."""
    folder.mkdir()
    file = folder / "members.yaml"
    file.write_text(f"""service:
  database: "{database}"
  keyrings:
    fields_file: {folder}/fields
    hashes_file: {folder}/hashes
    page_tokens_file: {folder}/page-tokens
""")
    return file


def fill(binaries, file, database):
    output = run(binaries / "members-data", "make", "--config", file, "--members", MEMBERS)
    assert "rows" in output, "it shows its progress"
    figures = run(binaries / "members-data", "read", "--config", file, "--members", MEMBERS,
                  "--calls", 640)
    assert "members-by-key" in figures and "member-p50" in figures
    assert "intact" in run(binaries / "yijia", "audit", "verify", "--database", database)


def test_members_are_made_on_sqlite(binaries, folder):
    database = f"sqlite:{folder}/members.sqlite"
    fill(binaries, settings(folder / "sqlite", database), database)


@pytest.fixture(scope="module")
def filled(binaries, folder, server):
    """A PostgreSQL store with members; a function that asks it."""
    _, url = server
    database = f"{url}?options=-csearch_path%3Dscale"
    fill(binaries, settings(folder / "postgres", database), database)

    def ask(statement):
        text = run("psql", "-XAtq", url, "-c", "SET search_path = scale", "-c", statement)
        return [line.split("|") for line in text.splitlines()]

    return ask


def test_members_are_spread_over_the_hash_partitions(filled):
    rows = filled("SELECT tableoid::regclass, count(*) FROM persons GROUP BY 1")
    counts = {part: int(count) for part, count in rows}
    assert len(counts) == 8 and sum(counts.values()) == MEMBERS
    assert min(counts.values()) > MEMBERS / 8 * 0.8, counts


def test_a_read_by_key_visits_one_partition(filled):
    (key,), = filled("SELECT id FROM persons LIMIT 1")
    lines = filled(f"EXPLAIN SELECT * FROM persons WHERE id = '{key}'")
    plan = "\n".join(line[0] for line in lines)
    assert plan.count("persons_") == plan.count("Index Scan") * 2 == 2, plan
