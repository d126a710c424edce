"""The standard test service, served by grpcio."""

import concurrent.futures
import time

import grpc

from interop import INITIAL, TRAILING
from stubs import testing


def _echo_metadata(context):
    received = dict(context.invocation_metadata())
    if INITIAL in received:
        context.send_initial_metadata([(INITIAL, received[INITIAL])])
    if TRAILING in received:
        context.set_trailing_metadata([(TRAILING, received[TRAILING])])


def _check_status(request, context):
    if request.HasField("response_status") and request.response_status.code:
        code = next(c for c in grpc.StatusCode if c.value[0] == request.response_status.code)
        context.abort(code, request.response_status.message)


def _payload(size):
    return testing.Payload(body=bytes(size))


class _TestService(testing.TestServiceServicer):
    def EmptyCall(self, request, context):
        _echo_metadata(context)
        return testing.Empty()

    def UnaryCall(self, request, context):
        _echo_metadata(context)
        _check_status(request, context)
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        return testing.SimpleResponse(payload=_payload(request.response_size))

    def StreamingInputCall(self, requests, context):
        _echo_metadata(context)
        return testing.StreamingInputCallResponse(
            aggregated_payload_size=sum(len(request.payload.body) for request in requests))

    def StreamingOutputCall(self, request, context):
        _echo_metadata(context)
        _check_status(request, context)
        if any(wanted.compressed.value for wanted in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        yield from self._answers(request, context)

    def FullDuplexCall(self, requests, context):
        _echo_metadata(context)
        for request in requests:
            _check_status(request, context)
            yield from self._answers(request, context)

    def HalfDuplexCall(self, requests, context):
        for request in list(requests):
            yield from self._answers(request, context)

    @staticmethod
    def _answers(request, context):
        for wanted in request.response_parameters:
            if wanted.interval_us:
                time.sleep(wanted.interval_us / 1e6)  # asked for by the client
            if not wanted.compressed.value:
                context.disable_next_message_compression()
            yield testing.StreamingOutputCallResponse(payload=_payload(wanted.size))


class ReferenceServer:
    """A grpcio server in this process."""

    def __init__(self, route, authority):
        # Streams that a client lets hang hold a thread each.
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(40),
            options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
        testing.add_TestServiceServicer_to_server(_TestService(), self._server)
        if route == "plaintext":
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            chain, key = authority.server
            credentials = grpc.ssl_server_credentials(
                [(key.read_bytes(), chain.read_bytes())],
                root_certificates=authority.roots.read_bytes() if route == "mtls" else None,
                require_client_auth=route == "mtls")
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()

    def close(self):
        self._server.stop(0).wait()
