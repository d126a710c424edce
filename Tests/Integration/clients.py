"""gRPC clients of a suite: grpcio, with a credential on every call, and `buf curl`."""

import collections
import json
import pathlib
import subprocess
import sys

import grpc

from processes import ROOT
from stubs import health, members, stations

# Reconnect quickly: the tests stop and start what they talk to. The "minimum" is in truth how long
# an attempt to connect may take.
CHANNEL_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
]
TIMEOUT_SECONDS = 20

_Details = collections.namedtuple(
    "_Details",
    ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression"))


class _Credential(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor, grpc.StreamStreamClientInterceptor,
):
    """Adds metadata to every call, and a timeout where a call has none."""

    def __init__(self, metadata):
        self._metadata = list(metadata)

    def _changed(self, details):
        metadata = self._metadata + list(details.metadata or ())
        timeout = TIMEOUT_SECONDS if details.timeout is None else details.timeout
        return _Details(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready,
            details.compression)

    def intercept_unary_unary(self, proceed, details, request):
        return proceed(self._changed(details), request)

    intercept_unary_stream = intercept_unary_unary
    intercept_stream_unary = intercept_unary_unary
    intercept_stream_stream = intercept_unary_unary


class Client:
    """One caller: `client.members.GetMember(request)`."""

    def __init__(self, target, root_certificates, metadata=(), options=(), identity=None):
        """`identity`: (key, certificate chain) of a client certificate, PEM."""
        key, chain = identity or (None, None)
        credentials = grpc.ssl_channel_credentials(root_certificates, key, chain)
        self.channel = grpc.secure_channel(target, credentials, [*CHANNEL_OPTIONS, *options])
        self.metadata = list(metadata)
        intercepted = grpc.intercept_channel(self.channel, _Credential(metadata))
        self.intercepted = intercepted
        self.members = members.MembersServiceStub(intercepted)
        self.stations = stations.StationsServiceStub(intercepted)

    def close(self):
        self.channel.close()


def is_serving(port, service=""):
    """Whether the executable with that admin port says that it serves."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", CHANNEL_OPTIONS) as channel:
        try:
            answer = health.HealthStub(channel).Check(
                health.HealthCheckRequest(service=service), timeout=1)
        except grpc.RpcError:
            return False
    return answer.status == health.HealthCheckResponse.SERVING


def pages(call, request, rows):
    """Every row of a paged list; `rows` is the field that holds them."""
    found = []
    while True:
        answer = call(request)
        found += getattr(answer, rows)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def buf_curl(gateway, ca_file, method, messages, headers, protocol="grpc"):
    """Calls `method` with `buf curl`; (exit status, the answers, what it says on stderr)."""
    buf = pathlib.Path(sys.executable).parent / "buf"
    command = [
        buf, "curl", "--schema", ROOT / "proto", "--cacert", ca_file,
        "--protocol", protocol, "-d", "@-"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run(
        [*map(str, command), f"https://{gateway}/{method}"], capture_output=True, text=True,
        input="\n".join(json.dumps(message) for message in messages), timeout=60, cwd=ROOT)
    return done.returncode, _json_values(done.stdout), done.stderr


def _json_values(text):
    decoder, values, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values
