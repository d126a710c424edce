"""Integration tests: real executables, clients that no one here wrote.

YIJIA_BIN names the folder of the built executables (.build/debug by default). Each suite of
services has its own folder and ports, so several test runs go side by side.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import contracts

ROOT = pathlib.Path(__file__).resolve().parents[2]
_stubs = None


def pytest_configure(config):
    """Makes the stubs of the contracts in a folder of their own, before tests import them."""
    global _stubs
    os.environ["SWIFT_BACKTRACE"] = "enable=no"  # else a crash leaves a backtracer with our files
    config.addinivalue_line("markers", "timeout(seconds): see pytest-timeout")
    _stubs = pathlib.Path(tempfile.mkdtemp(prefix="yijia-stubs-"))
    contracts.generate(ROOT / "proto", _stubs)


def pytest_unconfigure():
    if _stubs:
        shutil.rmtree(_stubs, ignore_errors=True)


@pytest.fixture(scope="session")
def binaries():
    """Folder of the executables."""
    folder = pathlib.Path(os.environ.get("YIJIA_BIN", ROOT / ".build" / "debug"))
    missing = [n for n in ("yijia", "yijia-gateway") if not (folder / n).is_file()]
    assert not missing, f"no {missing} in {folder}: swift build, or set YIJIA_BIN"
    return folder


@pytest.fixture(scope="module")
def folder():
    """A folder of the module's own."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="yijia-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def running(folder, binaries):
    """`yijia dev` with the tree, without the main job."""
    from suite import DevelopmentSuite  # it imports the stubs, which are made by now
    suite = DevelopmentSuite(folder / "running", binaries)
    try:
        suite.folder.mkdir()
        suite.start("--idle")
        yield suite
    finally:
        suite.close()


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of the test's own; (folder, URL)."""
    done = subprocess.run(
        [ROOT / "scripts/postgres.sh", "start"], check=True, capture_output=True, text=True)
    folder, url = done.stdout.split()
    yield pathlib.Path(folder), url
    subprocess.run([ROOT / "scripts/postgres.sh", "stop", folder], check=True)


@pytest.fixture(scope="session")
def session_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="yijia-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def dev(session_folder, binaries):
    """One suite as `yijia dev` starts it, with the main job done."""
    from suite import DevelopmentSuite

    suite = DevelopmentSuite(session_folder / "dev", binaries)
    try:
        suite.start()
        yield suite
    finally:
        suite.close()


@pytest.fixture(scope="module")
def suite(folder, binaries):
    """A suite of the module's own, without the main job: its services can be stopped and killed."""
    from suite import Suite

    suite = Suite(folder / "suite", binaries)
    try:
        suite.set_up()
        yield suite
    finally:
        suite.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Shows the last lines of the services' logs beside a failure."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for name in ("suite", "dev", "pair", "fronted", "changing"):
        tails = getattr(getattr(item, "funcargs", {}).get(name), "log_tails", None)
        if tails:
            report.sections.append((f"logs of {name}", tails()))
