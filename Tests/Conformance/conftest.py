"""Conformance: gRPC's own interoperability cases, each side against implementations of others.

YIJIA_BIN names the folder of the built executables (.build/debug by default). Processes, ports and
stubs come from Tests/Integration.
"""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tests" / "Integration"))
_stubs = None


def pytest_configure(config):
    """Makes the stubs of the contracts in a folder of their own, before tests import them."""
    global _stubs
    import contracts

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
    missing = [name for name in ("rpc-interop-server", "rpc-interop-client")
               if not (folder / name).is_file()]
    assert not missing, f"no {missing} in {folder}: swift build, or set YIJIA_BIN"
    return folder


@pytest.fixture(scope="session")
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="yijia-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(folder):
    from authority import Authority

    return Authority(folder / "tls")


@pytest.fixture(scope="session")
def world(binaries, folder, authority):
    """Servers of every kind, each started when it is first asked for."""
    from world import World

    world = World(binaries, folder, authority)
    yield world
    world.close()
