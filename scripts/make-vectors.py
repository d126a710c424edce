#!/usr/bin/env python3
"""Writes Tests/Fixtures/identity-vectors.tsv: identity numbers and credit codes, with check
characters by python-stdnum.

Only its calc_check_digit judges: its is_valid refuses residence permits, some retired region codes
and some authority letters. Columns: kind, input, verdict (the canonical text, or the reason).
The same output at every run; `--check` fails where the committed file differs.
"""
import datetime
import pathlib
import random
import sys

from stdnum.cn import ric, uscc

OUT = pathlib.Path(__file__).parent.parent / "Tests/Fixtures/identity-vectors.tsv"
RANDOM = random.Random(11643)
REGIONS = ["110105", "130302", "130321", "340603", "341222", "440300", "810000", "820000", "830000",
           "130323", "512221", "320404"]
WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


def number(region, birth, sequence):
    body = f"{region}{birth:%Y%m%d}{sequence:03d}"
    return body + ric.calc_check_digit(body + "0")


def ids():
    yield "11010519491231002X", "11010519491231002X"
    for _ in range(150):
        birth = datetime.date(1950, 1, 1) + datetime.timedelta(days=RANDOM.randrange(20_000))
        good = number(RANDOM.choice(REGIONS), birth, RANDOM.randrange(1, 1000))
        yield good, good
        yield RANDOM.choice([good.lower(), f"  {good} ", good.translate(WIDE)]), good
        wrong = RANDOM.choice([c for c in "0123456789X" if c != good[-1]])
        yield good[:-1] + wrong, "INVALID_ID"
    for bad in ("", " "):
        yield bad, "REQUIRED"
    yield "130302600101001", "ID_OBSOLETE"
    for region, birth in (("130302", "19900230"), ("130302", "19901301"), ("130302", "00000000")):
        body = f"{region}{birth}001"
        yield body + ric.calc_check_digit(body + "0"), "INVALID_ID"
    for region in ("990302", "000000", "139999"):
        yield number(region, datetime.date(1990, 1, 1), 1), "INVALID_ID"
    yield number("130302", datetime.date(2031, 1, 1), 1), "INVALID_ID"
    yield number("130302", datetime.date(1890, 1, 1), 1), "INVALID_ID"
    yield number("130302", datetime.date(2015, 1, 1), 1), "UNDER_AGE"
    for bad in ("1101051949123100", "11010519491231002XX", "١١٠١٠٥١٩٤٩١٢٣١٠٠٢",
                "1101051949-1231002", "x" * 18, "1" * 10_000):
        yield bad, "INVALID_ID"


def codes():
    yield "91350100M000100Y43", "91350100M000100Y43"
    for _ in range(100):
        body = RANDOM.choice("89") + RANDOM.choice("123") + "130302" + "".join(
            RANDOM.choices(uscc._alphabet, k=9))
        good = body + uscc.calc_check_digit(body)
        yield good, good
        yield good.lower(), good
        wrong = RANDOM.choice([c for c in uscc._alphabet if c != good[-1]])
        yield good[:-1] + wrong, "INVALID_CREDIT_CODE"
    for bad in ("91350100M000100Y4", "91350100M000100Y433", "91350100M000100I43", "９" * 18 + "Z"):
        yield bad, "INVALID_CREDIT_CODE"


rows = [("id", *row) for row in ids()] + [("credit_code", *row) for row in codes()]
text = "".join(f"{kind}\t{value}\t{verdict}\n" for kind, value, verdict in rows)
if "--check" in sys.argv:
    sys.exit(OUT.read_text(encoding="utf-8") != text)
OUT.write_text(text, encoding="utf-8")
print(f"{OUT.name}: {len(rows)} rows")
