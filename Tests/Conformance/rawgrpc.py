"""gRPC over the h2 package: one connection, seen and made frame by frame, on either side.

grpcio shows neither a message's compression flag nor its frames; here both can be chosen.
"""

import collections
import gzip
import socket
import struct

import h2.config
import h2.connection
import h2.events

Message = collections.namedtuple("Message", "flag body")


def framed(message, compressed=False):
    """A protobuf message behind its prefix, by gzip if so."""
    body = message.SerializeToString()
    if compressed:
        body = gzip.compress(body)
    return struct.pack(">BI", compressed, len(body)) + body


def unframed(data):
    """The messages in a body, which must end with one."""
    found = []
    while data:
        assert len(data) >= 5, f"the body ends within a prefix: {data!r}"
        flag, length = struct.unpack(">BI", data[:5])
        assert len(data) >= 5 + length, "the body ends within a message"
        found.append(Message(flag, data[5:5 + length]))
        data = data[5 + length:]
    return found


def decoded(message, kind):
    return kind.FromString(gzip.decompress(message.body) if message.flag else message.body)


class Link:
    """A connection of either side; credit is given back at once, or never."""

    def __init__(self, plain, is_client, context=None, seconds=20, gives_credit=True):
        self._gives_credit = gives_credit
        plain.settimeout(seconds)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain
        if context:
            self.socket = context.wrap_socket(plain, server_side=not is_client)
            assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=is_client, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self._waiting = collections.deque()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def event(self):
        """The next event; None when the peer has closed."""
        while not self._waiting:
            if not self._read():
                return None
        return self._waiting.popleft()

    def _read(self):
        data = self.socket.recv(65_536)
        if not data:
            return False
        for event in self.h2.receive_data(data):
            if self._gives_credit and getattr(event, "flow_controlled_length", 0):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._waiting.append(event)
        self.flush()
        return True

    def send(self, stream, data, end=False):
        """Body bytes, as fast as the peer's windows let them."""
        while True:
            room = min(
                self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if data and not room:
                assert self._read(), "the peer closed the connection"
                continue
            part, data = data[:room], data[room:]
            self.h2.send_data(stream, part, end_stream=end and not data)
            self.flush()
            if not data:
                return

    def close(self):
        self.socket.close()


def head(path, headers=()):
    return [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
        ("te", "trailers"), ("content-type", "application/grpc"), *headers]


Answer = collections.namedtuple("Answer", "headers messages trailers reset")


def call(port, path, chunks, headers=(), context=None):
    """A whole call of a client: what the server answered."""
    link = Link(socket.create_connection(("127.0.0.1", port), 20), True, context)
    try:
        stream = link.h2.get_next_available_stream_id()
        link.h2.send_headers(stream, head(path, headers))
        link.flush()
        for chunk in chunks:
            link.send(stream, chunk)
        link.send(stream, b"", end=True)
        return _answer(link)
    finally:
        link.close()


def _answer(link):
    heads, body = [], b""
    while True:
        event = link.event()
        assert event is not None, f"closed after {heads}"
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            heads.append(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            body += event.data
        elif isinstance(event, h2.events.StreamReset):
            return Answer(heads[0] if heads else {}, unframed(body), {}, event.error_code)
        elif isinstance(event, h2.events.StreamEnded):
            return Answer(heads[0], unframed(body), heads[-1], None)
