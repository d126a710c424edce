#!/usr/bin/env python3
"""Writes examples/replay/organizations.csv: the unions of the papers' replay (yijia replay).

usage: make-replay.py [FOLDER]      default: examples/replay

What stands above them is in examples/organizations.csv. Federations and townships have the
numbers of the papers where these name them (Huaibei: 20 of industries, 42 of parks and the like);
which they are is invented. The output is the same at every run.
"""
import csv
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples/replay"
FEDERATION = "REGIONAL_FEDERATION"
INDUSTRIES = ["货运物流", "快递", "网约送餐", "家政服务", "网约车", "汽车维修", "母婴护理", "保安服务", "物业管理", "房产中介"]
BAIYIN = {
    "620402": ("白银区", {"001": "人民路街道", "100": "水川镇"}),
    "620403": ("平川区", {"001": "长征街道", "100": "王家山镇"}),
    "620421": ("靖远县", {"100": "乌兰镇", "101": "北湾镇"}),
    "620422": ("会宁县", {"100": "会师镇", "101": "郭城驿镇"}),
    "620423": ("景泰县", {"100": "一条山镇", "101": "芦阳镇"}),
}


def row(key, parent, name, kind, level, region, groups="", individuals=True):
    return dict(external_id=key, parent_external_id=parent, display_name=name, kind=kind,
                level=level, region_code=region, groups=groups, credit_code="",
                employer_credit_codes="",
                takes_individuals="true" if individuals and kind != FEDERATION else "",
                state="ACTIVE")


def federation(key, parent, name, level, region):
    return row(key, parent, name, FEDERATION, level, region)


def shandong():
    yield federation("shandong", "national", "山东省总工会", "PROVINCE", "370000")
    yield federation("jinan", "shandong", "济南市总工会", "CITY", "370100")
    yield federation("lixia", "jinan", "历下区总工会", "COUNTY", "370102")
    yield row("lixia-001", "lixia", "解放路街道总工会", "TOWNSHIP_UNION", "TOWNSHIP", "370102001")
    yield row("lixia-001-home", "lixia-001", "解放路街道网上会员之家", "ONLINE_MEMBER_HOME", "TOWNSHIP",
              "370102001")
    yield row("lixia-shunda", "lixia-001", "顺达同城配送公司工会", "ENTERPRISE_UNION", "BASIC", "370102001",
              individuals=False)


def hefei():
    yield federation("hefei", "anhui", "合肥市总工会", "CITY", "340100")
    yield federation("feidong", "hefei", "肥东县总工会", "COUNTY", "340122")
    yield row("feidong-100", "feidong", "店埠镇总工会", "TOWNSHIP_UNION", "TOWNSHIP", "340122100")
    yield federation("shushan", "hefei", "蜀山区总工会", "COUNTY", "340104")
    yield row("shushan-008", "shushan", "荷叶地街道新就业形态联合工会", "JOINT_UNION", "BASIC", "340104008")


def huaibei():
    for index in range(20):
        county = "340600" if index < 10 else "340603"
        name = INDUSTRIES[index % 10]
        parent = "huaibei" if index < 10 else "huaibei-340603"
        name = f"{'淮北市' if index < 10 else '相山区'}{name}行业工会联合会"
        yield row(f"huaibei-industry-{index + 1:02d}", parent, name, "INDUSTRY_FEDERATION",
                  "CITY" if index < 10 else "COUNTY", county, individuals=False)
    for index in range(42):
        kind = ("物流园区", "危险运输", "卡车协会")[index % 3]
        yield row(f"huaibei-joint-{index + 1:02d}", "huaibei", f"淮北市{kind}第{index // 3 + 1}工会联合会",
                  "INDUSTRY_FEDERATION", "CITY", "340600", individuals=False)


def bengbu():
    yield federation("bengbu", "anhui", "蚌埠市总工会", "CITY", "340300")
    yield row("bengbu-pool", "bengbu", "蚌埠市会员审批周转池", "HOLDING_POOL", "CITY", "340300")


def baiyin():
    yield federation("gansu", "national", "甘肃省总工会", "PROVINCE", "620000")
    yield federation("baiyin", "gansu", "白银市总工会", "CITY", "620400")
    for county, (name, townships) in BAIYIN.items():
        yield federation(f"baiyin-{county}", "baiyin", f"{name}总工会", "COUNTY", county)
        for code, township in townships.items():
            yield row(f"baiyin-{county}{code}", f"baiyin-{county}", f"{township}总工会",
                      "TOWNSHIP_UNION", "TOWNSHIP", county + code)


def shenyang():
    yield federation("liaoning", "national", "辽宁省总工会", "PROVINCE", "210000")
    yield federation("shenyang", "liaoning", "沈阳市总工会", "CITY", "210100")
    yield row("shenyang-pool", "shenyang", "沈阳市工会联合会周转站", "HOLDING_POOL", "CITY", "210100")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rows = [row for part in (shandong, hefei, huaibei, bengbu, baiyin, shenyang) for row in part()]
    with open(OUT / "organizations.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{OUT / 'organizations.csv'}: {len(rows)} rows")


main()
