"""People who do not exist: valid resident IDs (GB 11643), phones, applications."""

import dataclasses
import datetime
import itertools
import threading
import uuid

from stubs import Timestamp, members

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS = "10X98765432"
SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚"
FIRST_BIRTH = datetime.date(1962, 1, 1)


def check_digit(first17):
    return CHECK_DIGITS[sum(w * int(d) for w, d in zip(WEIGHTS, first17)) % 11]


def resident_id(region, birth, sequence):
    first17 = f"{region}{birth:%Y%m%d}{sequence:03d}"
    return first17 + check_digit(first17)


@dataclasses.dataclass(frozen=True)
class Person:
    name: str
    resident_id: str
    phone: str


class People:
    """Gives a new person each time; two with different `series` give nobody twice. Thread-safe."""

    def __init__(self, series):
        self._numbers = itertools.count(1)
        self._series = series
        self._lock = threading.Lock()

    def next(self):
        with self._lock:
            number = next(self._numbers)
        # Region 130105 is no one's in the example roster; a series is a century of days apart.
        birth = FIRST_BIRTH + datetime.timedelta(days=self._series * 900 + number // 900)
        name = SURNAMES[number % 20] + GIVEN[number // 20 % 20] + GIVEN[number // 400 % 20]
        return Person(
            name, resident_id("130105", birth, number % 900 + 1),
            f"1{30 + self._series % 60:02d}{number:08d}")


def request_id():
    return str(uuid.uuid4())


def now():
    time = Timestamp()
    time.GetCurrentTime()
    return time


def application(person, **changes):
    """An application that routing sends to a township union of the example tree."""
    consent = members.Consent(
        version="2026-01", evidence="integration-test", agree_time=Timestamp(seconds=1_763_947_800))
    values = {
        "person_name": person.name, "resident_id": person.resident_id, "phone": person.phone,
        "group": members.OCCUPATION_GROUP_COURIER, "consent": consent,
        "areas": members.Areas(work="130303001"),
        "labour_relation": members.LABOUR_RELATION_NONE,
    }
    values.update(changes)
    return members.EnrollmentApplication(**values)


def enrollment(person, id=None, **changes):
    """A request of SubmitEnrollment."""
    return members.SubmitEnrollmentRequest(
        request_id=id or request_id(), application=application(person, **changes))
