"""Moves that several tables make: what a stream is brought to, and frames put together."""

import struct

from hostile import *  # noqa: F403: the vocabulary of the tables


def half_closed(p):
    """A stream whose request has ended and whose response has not: it waits for a window."""
    p.send(settings((WINDOW_SIZE, 0)))
    p.until(lambda: p.acks >= 2)
    p.call(1, message(b"\x10\x0a"))  # response_size: 10


def reset_stream(p):
    p.open()
    p.send(rst(1))
    p.ping()


def refused_early(p):
    """The server ends first: an error before the request has ended, then RST_STREAM(NO_ERROR)."""
    p.open(1, "Nonsense")
    assert p.outcome(1) == "grpc:12"


def call_head(stream=1, flags=END_HEADERS, method="FullDuplexCall"):
    return frame(HEADERS, flags, stream, block(request(method)))


def padded(stream, pad, payload, kind=HEADERS, flags=END_HEADERS, announced=None):
    announced = pad if announced is None else announced
    return frame(kind, flags | PADDED, stream, bytes([announced]) + payload + bytes(pad))


# A message whose answer comes after three seconds: the handler takes nothing else meanwhile.
PAUSE = message(b"\x12\x07\x08\x01\x10\xc0\x8d\xb7\x01")


def dependency(on, weight=16):
    return struct.pack(">IB", on, weight - 1)


def split_head(parts, stream=1, last=END_HEADERS, kind=CONTINUATION):
    """A call's field block in that many frames."""
    fields = block(request("UnaryCall"))
    size = len(fields) // parts
    cuts = [fields[i * size : (i + 1) * size if i < parts - 1 else None] for i in range(parts)]
    frames = [frame(HEADERS, 0, stream, cuts[0])]
    frames += [frame(kind, 0, stream, cut) for cut in cuts[1:-1]]
    return frames + [frame(kind, last, stream, cuts[-1])]


def whole(*frames):
    """A call whose HEADERS are those frames, and its message."""
    return lambda p: p.send(*frames, frame(DATA, END_STREAM, 1, EMPTY_MESSAGE))


def greeting(*chunks):
    return lambda p: p.send(*chunks)


def on(state, *frames):
    def run(p):
        state(p)
        p.send(*frames)

    return run


def open_stream(p):
    p.open()


def complete(p):
    p.complete()


def half(p):
    half_closed(p)
    p.ping()
