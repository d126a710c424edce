"""Contracts told over the inner links, and compressed calls through the whole suite."""

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)

from contracts import refused
from people import People, enrollment
from stubs import members

PEOPLE = People(series=8)
SERVICES = {
    "members": "yijia.members.v1.MembersService", "stations": "yijia.stations.v1.StationsService"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_tells_its_contract_to_its_neighbors(suite, service):
    client = suite.inner_client(service, "gateway")
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert set(database.get_services()) == {
        SERVICES[service], "yijia.operations.v1.OperationsService", "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection"}
    described = descriptor_pool.DescriptorPool(database).FindServiceByName(SERVICES[service])
    # With all it imports, and the options that say who may call.
    assert len(described.methods) > 5
    assert "policy.proto" in " ".join(f.name for f in described.file.dependencies)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_tells_nobody_else(suite, service):
    outsider = suite.inner_client(service, service)
    with pytest.raises(grpc.RpcError) as told:
        ProtoReflectionDescriptorDatabase(outsider.channel).get_services()
    assert told.value.code() == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate], ids=str)
def test_a_compressed_call_passes_the_gateway(suite, compression):
    client = suite.client("partner")
    answer = client.members.SubmitEnrollment(
        enrollment(PEOPLE.next()), compression=compression, timeout=20)
    assert answer.enrollment.name
    told = refused(
        client.members.GetEnrollment, members.GetEnrollmentRequest(name="enrollments/x"),
        compression=compression, timeout=20)
    assert told.code == grpc.StatusCode.INVALID_ARGUMENT
