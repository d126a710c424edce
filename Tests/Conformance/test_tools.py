"""Programs that call a server without its contracts: `buf curl` and grpcio's reflection client."""

import json
import pathlib
import subprocess
import sys

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)

from clients import _json_values as json_values
from stubs import health, testing

BUF = pathlib.Path(sys.executable).parent / "buf"


@pytest.fixture(params=["plaintext", "tls"])
def buf_curl(world, request):
    """Calls by `buf curl` with a method and messages, to the answers."""
    port = world.server(request.param).port
    scheme = "http"
    flags = ["--http2-prior-knowledge"]
    if request.param == "tls":
        scheme, flags = "https", ["--cacert", world.authority.roots]

    def run(method, *messages, more=(), status=0):
        command = [
            BUF, "curl", "--protocol", "grpc", *flags, *more, "-d", "@-",
            f"{scheme}://localhost:{port}/{method}"]
        done = subprocess.run(
            list(map(str, command)), input="\n".join(map(json.dumps, messages)),
            capture_output=True, text=True, timeout=60)
        assert bool(done.returncode) == bool(status), done.stderr
        return json_values(done.stderr if status else done.stdout)

    return run


SERVICE = "grpc.testing.TestService"


def test_buf_curl_calls_every_kind_without_a_schema(buf_curl):
    unary = buf_curl(f"{SERVICE}/UnaryCall", {"responseSize": 3})
    assert unary == [{"payload": {"body": "AAAA"}}]
    output = {"responseParameters": [{"size": 3}, {"size": 0}, {"size": 3}]}
    bodies = [{"payload": {"body": "AAAA"}}, {"payload": {}}, {"payload": {"body": "AAAA"}}]
    assert buf_curl(f"{SERVICE}/StreamingOutputCall", output) == bodies
    sent = {"payload": {"body": "AAAA"}}
    assert buf_curl(f"{SERVICE}/StreamingInputCall", sent, sent) == [{"aggregatedPayloadSize": 6}]
    assert buf_curl(f"{SERVICE}/FullDuplexCall", output, output) == bodies * 2


def test_buf_curl_shows_a_status(buf_curl):
    told = buf_curl(
        f"{SERVICE}/UnaryCall", {"responseStatus": {"code": 9, "message": "站点 closed"}}, status=1)
    assert told == [{"code": "failed_precondition", "message": "站点 closed"}]


@pytest.mark.parametrize("version", ["grpc-v1", "grpc-v1alpha"])
def test_buf_curl_knows_both_versions_of_reflection(buf_curl, version):
    answer = buf_curl("grpc.health.v1.Health/List", {}, more=["--reflect-protocol", version])
    assert answer[0]["statuses"][SERVICE] == {"status": "SERVING"}


def plain(file):
    """A file's descriptor without the names in JSON, which protoc writes for plugins only."""
    proto = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
    for message in proto.message_type:
        for field in [*message.field, *(f for n in message.nested_type for f in n.field)]:
            field.ClearField("json_name")
    return proto


def test_a_reflection_client_builds_the_contracts(world):
    with world.channel("plaintext") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICE in database.get_services()
        pool = descriptor_pool.DescriptorPool(database)
        for name in database.get_services():
            assert pool.FindServiceByName(name).methods
        method = pool.FindServiceByName(SERVICE).FindMethodByName("UnaryCall")
        request_type, answer_type = map(
            message_factory.GetMessageClass, (method.input_type, method.output_type))
        answer = channel.unary_unary(
            f"/{SERVICE}/UnaryCall", request_serializer=request_type.SerializeToString,
            response_deserializer=answer_type.FromString)(
                request_type(response_size=3), timeout=20)
        assert answer.payload.body == bytes(3)
        ours, theirs = map(plain, (
            pool.FindFileByName("grpc/testing/messages.proto"),
            testing.SimpleRequest.DESCRIPTOR.file))
        assert ours == theirs
        with pytest.raises(KeyError):
            pool.FindMessageTypeByName("grpc.testing.Nothing")


def test_health_is_checked_listed_and_watched(world):
    with world.channel("plaintext") as channel:
        stub = health.HealthStub(channel)
        serving = health.HealthCheckResponse.SERVING
        for service in ("", SERVICE):
            request = health.HealthCheckRequest(service=service)
            assert stub.Check(request, timeout=20).status == serving
        unknown = health.HealthCheckRequest(service="no.such")
        with pytest.raises(grpc.RpcError) as told:
            stub.Check(unknown, timeout=20)
        assert told.value.code() == grpc.StatusCode.NOT_FOUND
        statuses = stub.List(health.HealthListRequest(), timeout=20).statuses
        assert {name: answer.status for name, answer in statuses.items()} == {
            "": serving, SERVICE: serving}
        watch = stub.Watch(unknown, timeout=20)
        assert next(watch).status == health.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()
