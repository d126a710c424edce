"""Invented persons with numbers that are valid in form, and calls that every test makes."""
import datetime
import itertools
import uuid

from stubs import enrollment_pb2, kiosk_pb2, latlng_pb2, organization_pb2, person_pb2, point_pb2

_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
_numbers = itertools.count(1)


def resident_id(number, region="130302"):
    """The identity number of the `number`th person (GB 11643)."""
    birth = datetime.date(1960, 1, 1) + datetime.timedelta(days=number // 900)
    body = f"{region}{birth:%Y%m%d}{number % 900 + 1:03d}"
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, _WEIGHTS)) % 11]


def next_number():
    """A number that no other test of this run takes."""
    return next(_numbers)


def application(number, **changes):
    """An application of the `number`th person; keywords replace fields."""
    made = enrollment_pb2.EnrollmentApplication(
        person_name="测试" + "甲乙丙丁戊己庚辛壬癸"[number % 10], resident_id=resident_id(number),
        phone=str(13_000_000_000 + number), group=person_pb2.OCCUPATION_GROUP_COURIER,
        areas=enrollment_pb2.Areas(work="130302001"),
        consent=enrollment_pb2.Consent(version="1", evidence=f"test/{number}"))
    made.consent.agree_time.FromJsonString("2025-01-01T00:00:00Z")
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def submission(number, request_id=None, **changes):
    return enrollment_pb2.SubmitEnrollmentRequest(
        request_id=request_id or str(uuid.uuid4()), application=application(number, **changes))


TREE = [
    ("root", "", "中华全国总工会", "REGIONAL_FEDERATION", "NATIONAL", "000000"),
    ("hebei", "root", "河北省总工会", "REGIONAL_FEDERATION", "PROVINCE", "130000"),
    ("qhd", "hebei", "秦皇岛市总工会", "REGIONAL_FEDERATION", "CITY", "130300"),
    ("haigang", "qhd", "海港区总工会", "REGIONAL_FEDERATION", "COUNTY", "130302"),
    ("pool", "haigang", "海港区会员周转池", "HOLDING_POOL", "COUNTY", "130302"),
    ("wenhua", "haigang", "文化路街道总工会", "TOWNSHIP_UNION", "TOWNSHIP", "130302001"),
]


def plant_tree(members, metadata):
    """Imports a small tree; returns resource names by external id."""
    def rows():
        for row, (key, parent, name, kind, level, region) in enumerate(TREE, 1):
            yield organization_pb2.ImportOrganizationsRequest(
                request_id=str(uuid.uuid5(uuid.NAMESPACE_OID, key)), row=row, external_id=key,
                parent_external_id=parent, display_name=name, region_code=region,
                kind=organization_pb2.OrganizationKind.Value("ORGANIZATION_KIND_" + kind),
                level=organization_pb2.OrganizationLevel.Value("ORGANIZATION_LEVEL_" + level),
                takes_individuals=True)
    names = {}
    for response in members.ImportOrganizations(rows(), metadata=metadata, timeout=60):
        assert response.WhichOneof("result") == "organization", response
        names[response.organization.external_id] = response.organization.name
    return names


def open_point(stations, metadata, organization):
    """Creates and opens a point; returns its resource name."""
    request = point_pb2.CreatePointRequest(request_id=str(uuid.uuid4()))
    request.point.CopyFrom(point_pb2.Point(
        display_name="测试驿站", kind=point_pb2.POINT_KIND_STATION,
        location=latlng_pb2.LatLng(latitude=39.93, longitude=119.6), region_code="130302",
        facilities=[point_pb2.FACILITY_REST], capacity=20, managing_organization=organization))
    name = stations.CreatePoint(request, metadata=metadata, timeout=20).point.name
    stations.OpenPoint(
        point_pb2.OpenPointRequest(request_id=str(uuid.uuid4()), name=name), metadata=metadata,
        timeout=20)
    return name


def register_kiosk(stations, metadata, point):
    """Registers a kiosk; returns it and the metadata with its key."""
    made = stations.RegisterKiosk(
        kiosk_pb2.RegisterKioskRequest(
            request_id=str(uuid.uuid4()), point=point, display_name="测试终端"),
        metadata=metadata, timeout=20)
    return made.kiosk, (("x-api-key", made.api_key),)
