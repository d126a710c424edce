import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from suite import Suite  # noqa: E402


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """One suite for all tests that only call it: started, with a tree, a point and a kiosk."""
    from people import open_point, plant_tree, register_kiosk
    from stubs import Members, Stations

    suite = Suite(tmp_path_factory.mktemp("suite")).prepare()
    try:
        suite.start_all()
        suite.names = None
        with suite.channel() as channel:
            suite.names = plant_tree(Members(channel), suite.staff())
            stations = Stations(channel)
            suite.point = open_point(stations, suite.staff(), suite.names["haigang"])
            suite.kiosk, suite.kiosk_key = register_kiosk(stations, suite.staff(), suite.point)
        yield suite
    finally:
        suite.close()


@pytest.fixture
def channel(world):
    with world.channel() as channel:
        yield channel


@pytest.fixture
def members(channel):
    from stubs import Members
    return Members(channel)


@pytest.fixture
def stations(channel):
    from stubs import Stations
    return Stations(channel)
