"""A server that looks at compression flags and sets them, as the compressed cases ask."""

from rawgrpc import decoded, framed
from rawserver import RawServer
from stubs import testing

INVALID_ARGUMENT = 3


def _is_as_expected(message, flag):
    if isinstance(message, testing.StreamingOutputCallRequest):
        return True  # has no field for it
    return (not message.HasField("expect_compressed")
            or message.expect_compressed.value == bool(flag))


class FlagServer(RawServer):
    """`lies`: sets each flag the other way, which a client must notice."""

    def __init__(self, lies=False):
        self._lies = lies
        super().__init__()

    def answer(self, link, request):
        kind, reply = {
            "/grpc.testing.TestService/UnaryCall": (testing.SimpleRequest, self._unary),
            "/grpc.testing.TestService/StreamingInputCall": (
                testing.StreamingInputCallRequest, self._input),
            "/grpc.testing.TestService/StreamingOutputCall": (
                testing.StreamingOutputCallRequest, self._output),
        }[request.headers[":path"]]
        if any(message.flag for message in request.messages):
            assert request.headers.get("grpc-encoding") == "gzip", request.headers
        messages = [decoded(message, kind) for message in request.messages]
        for message, seen in zip(messages, request.messages):
            if not _is_as_expected(message, seen.flag):
                return self.refuse(link, request.stream, INVALID_ARGUMENT)
        answers = reply(messages)
        if any(compressed for _, compressed in answers):
            assert "gzip" in request.headers.get("grpc-accept-encoding", ""), request.headers
        self.send_head(link, request.stream, [("grpc-encoding", "gzip")])
        for answer, compressed in answers:
            link.send(request.stream, framed(answer, compressed != self._lies))
        self.send_trailers(link, request.stream)

    @staticmethod
    def _unary(messages):
        request, = messages
        payload = testing.Payload(body=bytes(request.response_size))
        return [(testing.SimpleResponse(payload=payload), request.response_compressed.value)]

    @staticmethod
    def _input(messages):
        total = sum(len(message.payload.body) for message in messages)
        return [(testing.StreamingInputCallResponse(aggregated_payload_size=total), False)]

    @staticmethod
    def _output(messages):
        request, = messages
        return [
            (testing.StreamingOutputCallResponse(payload=testing.Payload(body=bytes(p.size))),
             p.compressed.value)
            for p in request.response_parameters]
