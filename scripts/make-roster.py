#!/usr/bin/env python3
"""Writes the examples: a tree of organizations and the roster of one enrollment ceremony.

usage: make-roster.py [FOLDER]      default: examples/

The ceremony is Qinhuangdao's: 55 food-delivery riders, 115 couriers and 465 truck drivers, 635
persons in all. Everybody is invented: the identity numbers are valid in form (GB 11643) but run in
sequence, and the phones are taken from one block. On purpose there are wrong rows, persons who
come twice, and one phone on two identity numbers. The output is the same at every run.
"""
import csv
import datetime
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples"
RANDOM = random.Random(1124)
GROUPS = [("FOOD_DELIVERY_RIDER", 55), ("COURIER", 115), ("TRUCK_DRIVER", 465)]
PLATFORMS = {"FOOD_DELIVERY_RIDER": "蓝骑配送", "COURIER": "通达快运", "TRUCK_DRIVER": "满路货运"}
ID_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
CREDIT_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰建国海波志文晓东春梅玉华立新宝山"
# Districts and counties of Qinhuangdao with some of their townships and streets.
COUNTIES = {
    "130302": ("海港区", {"001": "文化路街道", "003": "北环路街道", "005": "河东街道", "101": "海港镇"}),
    "130303": ("山海关区", {"001": "南关街道", "005": "船厂路街道"}),
    "130304": ("北戴河区", {"001": "西山街道", "101": "戴河镇"}),
    "130306": ("抚宁区", {"001": "骊城街道", "101": "留守营镇"}),
    "130321": ("青龙满族自治县", {"100": "青龙镇"}),
    "130322": ("昌黎县", {"100": "昌黎镇", "103": "龙家店镇"}),
    "130324": ("卢龙县", {"100": "卢龙镇", "105": "石门镇"}),
}


def resident_id(region, birth, sequence):
    body = f"{region}{birth:%Y%m%d}{sequence:03d}"
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, ID_WEIGHTS)) % 11]


def credit_code(body):
    total = sum(CREDIT_DIGITS.index(c) * w for c, w in zip(body, CREDIT_WEIGHTS))
    return body + CREDIT_DIGITS[(31 - total % 31) % 31]


EMPLOYER = credit_code("91130302MA0QHD001")
UNION = credit_code("81130300MC0QHD001")


def organizations():
    """Rows of the tree, parents first."""
    def row(key, parent, name, kind, level, region, groups="", own="", employers="",
            individuals=False):
        return dict(external_id=key, parent_external_id=parent, display_name=name, kind=kind,
                    level=level, region_code=region, groups=groups, credit_code=own,
                    employer_credit_codes=employers,
                    takes_individuals="true" if individuals else "", state="ACTIVE")

    federation = "REGIONAL_FEDERATION"
    yield row("national", "", "中华全国总工会", federation, "NATIONAL", "000000")
    yield row("hebei", "national", "河北省总工会", federation, "PROVINCE", "130000")
    yield row("qinhuangdao", "hebei", "秦皇岛市总工会", federation, "CITY", "130300", own=UNION)
    yield row("qinhuangdao-trucks", "qinhuangdao", "秦皇岛市货车司机行业工会联合会",
              "INDUSTRY_FEDERATION", "CITY", "130300", groups="TRUCK_DRIVER", individuals=True)
    yield row("qinhuangdao-pool", "qinhuangdao", "秦皇岛市会员周转池", "HOLDING_POOL", "CITY", "130300",
              individuals=True)
    for county, (name, townships) in COUNTIES.items():
        yield row(f"q-{county}", "qinhuangdao", f"{name}总工会", federation, "COUNTY", county)
        yield row(f"q-{county}-pool", f"q-{county}", f"{name}会员周转池", "HOLDING_POOL", "COUNTY",
                  county, individuals=True)
        for code, township in townships.items():
            yield row(f"q-{county}{code}", f"q-{county}", f"{township}总工会", "TOWNSHIP_UNION",
                      "TOWNSHIP", county + code, individuals=True)
    yield row("q-couriers", "q-130302", "海港区快递行业工会联合会", "INDUSTRY_FEDERATION", "COUNTY",
              "130302", groups="COURIER;FOOD_DELIVERY_RIDER", individuals=True)
    yield row("q-tongda", "q-130302", "通达快运秦皇岛分公司工会", "ENTERPRISE_UNION", "BASIC",
              "130302", employers=EMPLOYER)
    yield row("anhui", "national", "安徽省总工会", federation, "PROVINCE", "340000")
    yield row("huaibei", "anhui", "淮北市总工会", federation, "CITY", "340600")
    yield row("huaibei-pool", "huaibei", "淮北市会员周转池", "HOLDING_POOL", "CITY", "340600",
              individuals=True)
    yield row("huaibei-340603", "huaibei", "相山区总工会", federation, "COUNTY", "340603")


def person(index, group):
    county = RANDOM.choice(list(COUNTIES))
    township = RANDOM.choice(list(COUNTIES[county][1]))
    birth = datetime.date(1968, 1, 1) + datetime.timedelta(days=(index * 37) % 12_000)
    name = RANDOM.choice(SURNAMES) + "".join(RANDOM.sample(GIVEN, RANDOM.choice([1, 2, 2])))
    is_employed = group == "COURIER" and index % 5 == 0
    return dict(
        person_name=name, resident_id=resident_id(county, birth, index % 1000),
        phone=f"1390335{index:04d}", group=group, channel="ON_SITE_CEREMONY", campaign="集中入会1124",
        work_area=county + township, residence_area=county, domicile_area="130300",
        labour_relation="CLEAR" if is_employed else "NONE",
        employer_name="通达快运秦皇岛分公司" if is_employed else "",
        employer_credit_code=EMPLOYER if is_employed else "", platform=PLATFORMS[group],
        consent_version="2026-01", consent_evidence=f"ceremony-1124/{index:04d}",
        consent_time="2025-11-24T09:30:00+08:00")


def wrong(rows):
    """Rows that a service must refuse, each with one or more wrong fields."""
    base = [dict(row) for row in RANDOM.sample(rows, 25)]
    changes = [
        dict(resident_id="110105194912310021"),          # check digit
        dict(resident_id="130302600101001"),             # 15 digits
        dict(resident_id=resident_id("130302", datetime.date(2014, 5, 1), 7)),   # under 16
        dict(resident_id=resident_id("130302", datetime.date(1890, 5, 1), 7)),   # over 120
        dict(resident_id=resident_id("130302", datetime.date(2031, 5, 1), 7)),   # not born yet
        dict(resident_id="13030219900230001X"),          # 30 February
        dict(resident_id=resident_id("990302", datetime.date(1990, 5, 1), 7)),   # no such province
        dict(resident_id=""), dict(phone="12345678901"), dict(phone="1390335"), dict(phone=""),
        dict(person_name="J0hn"), dict(person_name="王"), dict(person_name=""),
        dict(consent_version="", consent_evidence="", consent_time=""),
        dict(consent_evidence=""), dict(consent_time="2031-01-01T00:00:00Z"),
        dict(work_area="139999"), dict(work_area="1303"), dict(group="ASTRONAUT"),
        dict(employer_credit_code="91130302MA0QHD001Z"),
        dict(campaign="长" * 65), dict(channel="CARRIER_PIGEON"),
        dict(resident_id="x", phone="y", person_name="z!"),
        dict(resident_id="", phone="", person_name="", group="", consent_version="",
             consent_evidence="", consent_time=""),
    ]
    for row, change in zip(base, changes):
        yield row | change


def repeats(rows):
    """Persons who come again, and one phone on two identity numbers."""
    for index, row in enumerate(RANDOM.sample(rows, 14)):
        again = dict(row)
        if index % 3 == 1:
            again["resident_id"] = again["resident_id"].lower()
            again["phone"] = "+86 " + again["phone"][:3] + "-" + again["phone"][3:]
        elif index % 3 == 2:
            # The same person with another phone.
            again["phone"] = f"1380335{index:04d}"
        yield again


def write(name, rows):
    rows = list(rows)
    with open(OUT / name, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{OUT / name}: {len(rows)} rows")


def main():
    OUT.mkdir(exist_ok=True)
    write("organizations.csv", organizations())
    good, index = [], 1
    for group, count in GROUPS:
        for _ in range(count):
            good.append(person(index, group))
            index += 1
    # Two of the 635 share one phone: both are enrolled, and a duplicate case opens.
    good[-1]["phone"] = good[0]["phone"]
    assert len({row["resident_id"] for row in good}) == 635
    rest = list(wrong(good)) + list(repeats(good))
    RANDOM.shuffle(rest)
    rows = list(good)
    for row in rest:
        # After the first time, so that what is counted hangs on no order.
        rows.insert(RANDOM.randrange(len(good), len(rows) + 1), row)
    write("ceremony-roster.csv", rows)


main()
