"""Servers that break a call on purpose: the six negative HTTP/2 cases.

Source: https://github.com/grpc/grpc/blob/master/doc/negative-http2-interop-test-descriptions.md
"""

import threading

import h2.events
import h2.settings
from hyperframe.frame import GoAwayFrame

from rawgrpc import framed
from rawserver import RawServer
from stubs import testing

_RESPONSE = framed(testing.SimpleResponse(payload=testing.Payload(body=bytes(314_159))))


class _Broken(RawServer):
    """Serves UnaryCall, and misbehaves as its subclass says."""

    def answer(self, link, request):
        self.send_head(link, request.stream)
        link.send(request.stream, _RESPONSE)
        self.send_trailers(link, request.stream)

    def reset(self, link, stream):
        link.h2.reset_stream(stream, error_code=0)
        link.flush()

    def check(self):
        """Whether the client did what the case asks of it."""
        assert self.calls >= 1


class GoAway(_Broken):
    """Answers, then GOAWAY: the next call must come on a new connection."""

    def __init__(self, context=None):
        self.served = []
        self.was_heard = threading.Event()
        super().__init__(context)

    def answer(self, link, request):
        if request.connection in self.served:
            return  # above the GOAWAY's last stream: as the rules have it, not looked at
        self.served.append(request.connection)
        super().answer(link, request)
        # h2's own way would take nothing more of the client, not even an answered ping.
        link.socket.sendall(GoAwayFrame(0, last_stream_id=request.stream).serialize())
        link.h2.ping(bytes(8))
        link.flush()

    def saw(self, event):
        if isinstance(event, h2.events.PingAckReceived):
            self.was_heard.set()

    def disconnected(self):
        self.was_heard.set()  # a client may close at once

    def check(self):
        assert len(self.served) >= 2, self.served


class ResetAfterHeader(_Broken):
    def answer(self, link, request):
        self.send_head(link, request.stream)
        self.reset(link, request.stream)


class ResetDuringData(_Broken):
    def answer(self, link, request):
        self.send_head(link, request.stream)
        link.send(request.stream, _RESPONSE[:len(_RESPONSE) // 2])
        self.reset(link, request.stream)


class ResetAfterData(_Broken):
    def answer(self, link, request):
        self.send_head(link, request.stream)
        link.send(request.stream, _RESPONSE)
        self.reset(link, request.stream)


class Ping(_Broken):
    """Pings before and after head and data; the call ends when all are answered, so that none is
    on its way when its caller goes."""

    def __init__(self, context=None):
        self.outstanding = 0
        self.sent = 0
        self._ending = None
        super().__init__(context)

    def answer(self, link, request):
        self._ping(link)
        self.send_head(link, request.stream)
        self._ping(link)
        link.send(request.stream, _RESPONSE[:100_000])
        self._ping(link)
        link.send(request.stream, _RESPONSE[100_000:])
        self._ending = (link, request.stream)
        self._ping(link)

    def _ping(self, link):
        self.sent += 1
        self.outstanding += 1
        link.h2.ping(self.sent.to_bytes(8, "big"))
        link.flush()

    def saw(self, event):
        if isinstance(event, h2.events.PingAckReceived):
            self.outstanding -= 1
            if self.outstanding == 0 and self._ending:
                self.send_trailers(*self._ending)
                self._ending = None

    def check(self):
        assert self.sent and self.outstanding == 0, f"{self.outstanding} of {self.sent}"


class MaxStreams(_Broken):
    """Allows one stream at a time; h2 raises when there are two."""

    def connected(self, link):
        link.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        link.flush()

    def check(self):
        assert self.calls >= 11 and self.connections == 1, (self.calls, self.connections)


CASES = {
    "goaway": GoAway, "rst_after_header": ResetAfterHeader, "rst_during_data": ResetDuringData,
    "rst_after_data": ResetAfterData, "ping": Ping, "max_streams": MaxStreams,
}
