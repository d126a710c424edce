"""Faults of what the services stand on: a failover of the database, a full or broken disk, a power
cut. They drive the real executables with the workload of Tests/Integration, and share its fixtures.
"""

import importlib.util
import pathlib
import sys

INTEGRATION = pathlib.Path(__file__).resolve().parents[1] / "Integration"
sys.path.insert(0, str(INTEGRATION))
_spec = importlib.util.spec_from_file_location("integration_fixtures", INTEGRATION / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)

# pytest finds hooks and fixtures by their names in this module.
pytest_configure = _fixtures.pytest_configure
pytest_unconfigure = _fixtures.pytest_unconfigure
pytest_runtest_makereport = _fixtures.pytest_runtest_makereport
binaries = _fixtures.binaries
folder = _fixtures.folder
