"""The generated stubs under short names: `members.EnrollmentApplication`, `testing.Empty` …"""

import types

from google.protobuf import timestamp_pb2
from google.type import latlng_pb2
from grpc.health.v1 import health_pb2, health_pb2_grpc
from grpc.testing import empty_pb2, messages_pb2, test_pb2, test_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from yijia.gateway.v1 import (
    accounts_service_pb2, accounts_service_pb2_grpc, partner_certificate_pb2, partner_limit_pb2,
    partner_pb2, partner_usage_pb2, session_pb2, sessions_service_pb2_grpc, staff_pb2)
from yijia.members.v1 import (
    away_pb2, code_pb2, duplicate_pb2, enrollment_pb2, event_pb2, freshness_pb2, member_pb2,
    members_service_pb2_grpc, organization_pb2, outreach_pb2, person_pb2, personal_data_pb2,
    pool_pb2, region_pb2, rerouting_pb2, roster_pb2, sign_in_pb2, statistics_pb2,
    transfer_pb2, unit_pb2)
from yijia.operations.v1 import operations_service_pb2, operations_service_pb2_grpc
from yijia.stations.v1 import kiosk_pb2, point_pb2, stations_service_pb2_grpc, visit_pb2
from yijia.type.v1 import caller_pb2, policy_pb2


def _merged(*modules):
    names = {}
    for module in modules:
        names.update({k: v for k, v in vars(module).items() if not k.startswith("_")})
    return types.SimpleNamespace(**names)


members = _merged(
    away_pb2, code_pb2, duplicate_pb2, enrollment_pb2, event_pb2, freshness_pb2, member_pb2,
    organization_pb2, outreach_pb2, person_pb2, personal_data_pb2, pool_pb2, region_pb2,
    rerouting_pb2, roster_pb2, sign_in_pb2, statistics_pb2, transfer_pb2, unit_pb2,
    members_service_pb2_grpc)
stations = _merged(kiosk_pb2, point_pb2, visit_pb2, stations_service_pb2_grpc)
accounts = _merged(
    partner_certificate_pb2, partner_limit_pb2, partner_pb2, partner_usage_pb2, session_pb2,
    staff_pb2, accounts_service_pb2_grpc, sessions_service_pb2_grpc)
ACCOUNTS_SERVICE = accounts_service_pb2.DESCRIPTOR.services_by_name["AccountsService"]
operations = _merged(operations_service_pb2, operations_service_pb2_grpc)
testing = _merged(empty_pb2, messages_pb2, test_pb2, test_pb2_grpc)
health = _merged(health_pb2, health_pb2_grpc)
collector = _merged(trace_service_pb2, trace_service_pb2_grpc)
callers = _merged(caller_pb2, policy_pb2)
Timestamp = timestamp_pb2.Timestamp
LatLng = latlng_pb2.LatLng
