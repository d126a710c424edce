"""A peer that says what it likes: HTTP/2 frames byte by byte, with no state machine in the way.

A case is a function that misbehaves on a `Peer`; `Peer.outcome` tells how the server answered:
`goaway:CODE`, `reset:CODE`, `grpc:STATUS`, `http:STATUS`, `closed` (no word) or `nothing`.
"""

import dataclasses
import socket
import ssl
import struct
import time
from typing import Callable

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(9)
CONTINUATION = 9
END_STREAM, END_HEADERS, PADDED, PRIORITIZED, ACK = 1, 4, 8, 32, 1
# Error codes, RFC 9113, section 7.
NO_ERROR, PROTOCOL, INTERNAL, FLOW, SETTINGS_TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL = range(9)
COMPRESSION, CALM = 9, 11
# Settings, RFC 9113, section 6.5.2.
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, WINDOW_SIZE, FRAME_SIZE, HEADER_LIST = range(1, 7)

SERVICE = "/grpc.testing.TestService/"
EMPTY_MESSAGE = bytes(5)
# Seconds that any one answer may take on a loaded machine.
PATIENCE = 8


def goaway(*codes):
    return tuple(f"goaway:{code}" for code in codes)


def reset(*codes):
    return tuple(f"reset:{code}" for code in codes)


def grpc(*codes):
    return tuple(f"grpc:{code}" for code in codes)


def http(*codes):
    return tuple(f"http:{code}" for code in codes)


OK = grpc(0)
# Nothing is wrong: a call on the connection works.
ALIVE = ("alive",)


@dataclasses.dataclass
class Case:
    """What to do, on which stream the answer is awaited (None: any call works), what it may be."""

    name: str
    source: str
    run: Callable[["Peer"], None]
    want: tuple
    stream: int | None = 1
    # Whether the preface and the exchange of SETTINGS come before `run`.
    greets: bool = True
    # A call on this stream shows that the connection lives on; 0 when that cannot be asked.
    next_stream: int = 1001


def literal(name, value):
    """A header field without indexing and without Huffman coding."""
    name = name.encode() if isinstance(name, str) else name
    value = value.encode() if isinstance(value, str) else value
    return b"\x00" + integer(len(name), 7) + name + integer(len(value), 7) + value


def integer(number, bits, first=0):
    """RFC 7541, section 5.1."""
    limit = (1 << bits) - 1
    if number < limit:
        return bytes([first | number])
    out = [first | limit]
    number -= limit
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + [number])


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


def request(method="UnaryCall", *, drop=(), add=(), first=(), **replace):
    """The fields of a call. Keywords replace values: `_` before a name stands for `:`."""
    values = {
        ":method": "POST",
        ":scheme": "http",
        ":path": SERVICE + method,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    for name, value in replace.items():
        name = ":" + name[1:] if name.startswith("_") else name.replace("_", "-")
        values[name] = value
    kept = [(name, value) for name, value in values.items() if name not in drop]
    return list(first) + kept + list(add)


def frame(kind, flags, stream, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs, flags=0, stream=0):
    payload = b"".join(struct.pack(">HI", *pair) for pair in pairs)
    return frame(SETTINGS, flags, stream, payload)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def message(body=b"", flag=0, length=None):
    return struct.pack(">BI", flag, len(body) if length is None else length) + body


def client_context(protocol="h2"):
    """TLS with one protocol that trusts anyone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


class Peer:
    """One connection. With `in_pieces` all that is short is sent byte by byte."""

    def __init__(self, port, tls=False, in_pieces=False):
        self.in_pieces = in_pieces
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = client_context().wrap_socket(self.socket)
        self.decoder = hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 24
        self.buffer = b""
        self.answers = {}
        self.resets = {}
        self.goaways = []
        self.settings = {}
        self.pongs = set()
        self.acks = 0
        self.received = {}
        # The window granted by WINDOW_UPDATE, by stream.
        self.windows = {}
        self.is_closed = False
        # Closed by a reset of TCP, after which other systems than Linux drop what was not read.
        self.was_reset = False

    def close(self):
        self.socket.close()

    # -- Out

    def send(self, *chunks):
        """Sends all at once. A server that has closed already has given its answer."""
        raw = b"".join(chunks)
        step = 1 + len(raw) // 500 if self.in_pieces else len(raw) or 1
        try:
            for start in range(0, len(raw), step):
                self.socket.sendall(raw[start : start + step])
        except OSError:
            pass

    def greet(self, *pairs):
        self.send(PREFACE, settings(*pairs))
        self.until(lambda: self.settings and self.acks)
        self.send(frame(SETTINGS, ACK, 0))

    def headers(self, stream, fields, flags=END_HEADERS):
        self.send(frame(HEADERS, flags, stream, block(fields)))

    def data(self, stream, payload, flags=END_STREAM):
        self.send(frame(DATA, flags, stream, payload))

    def open(self, stream=1, method="FullDuplexCall"):
        """A call whose request stays open."""
        self.headers(stream, request(method))

    def call(self, stream=1, body=EMPTY_MESSAGE, method="UnaryCall", **fields):
        self.send(
            frame(HEADERS, END_HEADERS, stream, block(request(method, **fields))),
            frame(DATA, END_STREAM, stream, body),
        )

    def complete(self, stream=1):
        """A call that is over."""
        self.call(stream)
        assert self.outcome(stream) == "grpc:0"

    # -- In

    def until(self, condition, seconds=PATIENCE):
        """Takes frames until the condition holds or the connection ends; says whether it holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.is_closed or not self._take(deadline):
                return bool(condition())
        return True

    def _take(self, deadline):
        while True:
            if len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + length:
                    kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
                    payload = self.buffer[9 : 9 + length]
                    self.buffer = self.buffer[9 + length :]
                    self._frame(kind, flags, stream, payload)
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                chunk = self.socket.recv(1 << 16)
            except TimeoutError:
                return False
            except OSError as error:
                self.was_reset = isinstance(error, ConnectionResetError)
                chunk = b""
            if not chunk:
                self.is_closed = True
                return True
            self.buffer += chunk

    def _frame(self, kind, flags, stream, payload):
        if kind == HEADERS:
            assert flags & END_HEADERS and not flags & (PADDED | PRIORITIZED)
            fields = self.decoder.decode(payload)
            self.answers.setdefault(stream, {}).update(fields)
        elif kind == DATA:
            self.received[stream] = self.received.get(stream, 0) + len(payload)
        elif kind == RST_STREAM:
            self.resets.setdefault(stream, struct.unpack(">I", payload)[0])
        elif kind == GOAWAY:
            last, code = struct.unpack(">II", payload[:8])
            self.goaways.append((last, code, payload[8:]))
        elif kind == SETTINGS and flags & ACK:
            self.acks += 1
        elif kind == SETTINGS:
            self.settings.update(struct.iter_unpack(">HI", payload))
            self.settings.setdefault(0, 0)
        elif kind == PING and flags & ACK:
            self.pongs.add(payload)
        elif kind == PING:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            increment = struct.unpack(">I", payload)[0]
            self.windows[stream] = self.windows.get(stream, 0) + increment
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.answers.setdefault(stream, {})["ended"] = True

    def failure(self):
        """The code of a GOAWAY that is an error, or None."""
        return next((code for _, code, _ in self.goaways if code != NO_ERROR), None)

    def answered(self, stream):
        return self.answers.get(stream, {}).get("ended") or stream in self.resets

    def ping(self):
        """Whether the server answers a PING: all before it has been looked at."""
        number = struct.pack(">Q", 0xBEEF0000 + len(self.pongs))
        self.send(frame(PING, 0, 0, number))
        return self.until(lambda: number in self.pongs or self.failure() is not None) and (
            number in self.pongs
        )

    def outcome(self, stream):
        """How the server answered."""
        self.until(lambda: self.answered(stream) or self.failure() is not None)
        answer = self.answers.get(stream, {})
        if self.failure() is None and not self.is_closed and answer.get("ended") is None:
            # A reset may be followed by the end of the connection, which is then the answer.
            self.ping()
        if self.failure() is not None:
            return f"goaway:{self.failure()}"
        if answer.get("ended"):
            status = answer.get(":status")
            return f"grpc:{answer['grpc-status']}" if "grpc-status" in answer else f"http:{status}"
        if stream in self.resets:
            return f"reset:{self.resets[stream]}"
        return "closed" if self.is_closed else "nothing"

    def ends(self):
        """Whether the server closes the connection."""
        return self.until(lambda: self.is_closed)


def judge(case, port, tls=False, in_pieces=False):
    """Runs a case and checks its answer and what the connection is good for afterwards."""
    peer = Peer(port, tls, in_pieces)
    try:
        if case.greets:
            peer.greet()
        case.run(peer)
        if case.stream is not None:
            outcome = peer.outcome(case.stream)
            assert outcome in case.want, f"{case.source}: {outcome}, not {' or '.join(case.want)}"
            if outcome.startswith("goaway") or outcome == "closed":
                assert peer.ends(), f"{case.source}: the connection was not closed"
                assert not peer.was_reset, f"{case.source}: TCP was reset behind the last word"
                return
        if case.next_stream:
            peer.send(settings((WINDOW_SIZE, 65_535)))
            peer.call(case.next_stream)
            outcome = peer.outcome(case.next_stream)
            assert outcome == "grpc:0", f"{case.source}: the next call gave {outcome}"
    finally:
        peer.close()
