"""`yijia` on stores and their backups: what is wrong is said in a sentence, and nothing is lost."""

import fcntl
import os
import re
import signal
import subprocess
import time

import pytest

from processes import Child, wait_until
from test_command_line import run


def test_a_configuration_of_any_name_is_of_the_service_that_is_said(running, binaries, tmp_path):
    config = tmp_path / "production.yaml"
    config.write_text((running.folder / "members.yaml").read_text())
    told = run(binaries, "audit", "verify", "--config", config)
    assert "production.yaml" in told and "--service members" in told
    tls = running.folder / "tls"
    assert "intact" in run(
        binaries, "audit", "verify", "--config", config, "--service", "members", status=0)
    told = run(
        binaries, "statistics", "recount", "--config", config, "--service", "members",
        "--certificate", tls / "members.crt", "--key", tls / "members.key")
    assert "This kind of caller" in told, "in the terminal's language"


def test_a_store_is_adopted_only_where_there_is_one(binaries, tmp_path):
    file = tmp_path / "x.sqlite"
    assert f"{file}: there is no store" in run(
        binaries, "backup", "adopt", "--database", f"sqlite:{file}")
    assert not file.exists()


def test_a_backup_makes_the_folders_that_it_goes_to(running, binaries, tmp_path):
    config = running.folder / "members.yaml"
    backup, store = tmp_path / "all/monday", tmp_path / "elsewhere/deep/members.sqlite"
    run(binaries, "backup", "create", "--config", config, "--to", backup, status=0)
    run(binaries, "backup", "restore", backup, "--to", store, status=0)
    assert store.exists()
    assert "/proc/" in run(
        binaries, "backup", "create", "--config", config, "--to", "/proc/nothing/x")


def test_a_backup_is_not_restored_beside_a_process_that_has_the_store_open(
        running, binaries, tmp_path):
    config = running.folder / "members.yaml"
    backup, store = tmp_path / "backup", tmp_path / "members.sqlite"
    run(binaries, "backup", "create", "--config", config, "--to", backup, status=0)
    # As a service does whose file was moved away.
    with open(f"{store}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        assert "process 4711 has a store of this path open" in run(
            binaries, "backup", "restore", backup, "--to", store)
        assert not store.exists()
    run(binaries, "backup", "restore", backup, "--to", store, status=0)
    assert store.exists()


def test_what_a_store_cannot_do_is_said_with_the_remedy(running, binaries, tmp_path):
    url = f"sqlite:{running.folder / 'data/members.sqlite'}"
    told = run(binaries, "audit", "verify", "--database", url)
    assert "another process owns the store" in told and "stop that process first" in told
    text = tmp_path / "text.sqlite"
    text.write_text("no store " * 1_000)
    told = run(binaries, "audit", "verify", "--database", f"sqlite:{text}")
    assert "the store is damaged" in told and "restore a backup" in told
    told = run(binaries, "audit", "verify", "--database", "postgres://nobody@127.0.0.1:1/none")
    assert "check that the server runs" in told


@pytest.mark.parametrize("service", ["members", "stations", "gateway"])
def test_a_service_that_waits_for_its_store_ends_when_it_is_told(
        running, binaries, tmp_path, service):
    own = (running.folder / f"{service}.yaml").read_text()
    text, count = re.subn(
        r"(?m)^(\s*database: ).*$", r"\1postgres://nobody@127.0.0.1:1/none", own)
    assert count == 1
    config = tmp_path / f"{service}.yaml"
    config.write_text(text)
    child = Child([binaries / f"yijia-{service}", "--config", config], tmp_path / "log")
    try:
        wait_until(lambda: "waiting 30 s" in child.output, what="the notice that it waits")
        child.send(signal.SIGHUP)
        # Time itself is meant: a signal that is ignored leaves nothing to wait for.
        time.sleep(0.3)
        assert child.is_running, "nothing is to be read anew yet"
        assert child.stop(seconds=5) == -signal.SIGTERM
    finally:
        child.kill()


def drafts(folder):
    return sorted(path.name for path in folder.glob(".*.draft"))


def test_an_interrupted_backup_leaves_nothing(running, binaries, tmp_path):
    interrupted = 0
    for turn in range(10):
        target = tmp_path / f"backup{turn}"
        command = subprocess.Popen(
            [binaries / "yijia", "backup", "create", "--config", running.folder / "members.yaml",
             "--to", target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while command.poll() is None and not drafts(tmp_path) and not target.exists():
            time.sleep(0.001)  # the interruption has to come between the draft and its end
        command.send_signal(signal.SIGTERM)
        # It may have been faster.
        interrupted += command.wait(30) == 128 + signal.SIGTERM
        assert drafts(tmp_path) == []
    assert interrupted


def test_what_a_killed_backup_left_goes_with_the_next_one(running, binaries, tmp_path):
    config = running.folder / "members.yaml"
    left, other = tmp_path / ".monday.0123abcd.draft", tmp_path / ".sunday.0123abcd.draft"
    used = tmp_path / ".monday.4567abcd.draft"
    for folder in (left, other, used):
        folder.mkdir()
        (folder / "store.sqlite").write_text("half a copy")
    descriptor = os.open(used, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    run(binaries, "backup", "create", "--config", config, "--to", tmp_path / "monday", status=0)
    os.close(descriptor)
    assert drafts(tmp_path) == [used.name, other.name]
