"""Response streams in the forms that the gateway gives them, read as they come: JSON in three,
gRPC-Web in two. A document that is not whole and well-formed fails."""

import base64
import collections
import contextlib
import json
import struct
import urllib.parse

import grpc

from contracts import refusal_of
from processes import wait_until
from stubs import members
from test_json import JSON, NDJSON, Caller

EVENTS = "text/event-stream"
WEB, WEB_TEXT = "application/grpc-web+proto", "application/grpc-web-text"
FEED = "/v1/members:watchEvents"
WATCH = "/yijia.members.v1.MembersService/WatchMemberEvents"

# `error`: a status as JSON has it, or a Refusal; None where the stream ended well.
Document = collections.namedtuple("Document", "results error")


def _split(elements):
    """Results, and the error that may be the last element."""
    failed = bool(elements) and "error" in elements[-1]
    results = elements[:-1] if failed else elements
    return Document(results, elements[-1]["error"] if failed else None)


def lines(body):
    assert not body or body.endswith(b"\n"), body[-200:]
    whole = _split([json.loads(line) for line in body.splitlines()])
    return whole._replace(results=[line["result"] for line in whole.results])


def array(body):
    return _split(json.loads(body))


def blocks(body):
    """Server-sent events as dictionaries of their fields."""
    text = body.decode()
    assert not text or text.endswith("\n\n"), text[-200:]
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if fields:
            found.append(fields)
    return found


def events(body):
    found = blocks(body)
    assert all(one.get("event", "error") == "error" for one in found)
    assert not any("event" in one for one in found[:-1]), "nothing follows an error"
    return _split([
        {"error": json.loads(one["data"])} if "event" in one else json.loads(one["data"])
        for one in found])


def decoded(text):
    """Base64 in pieces, each with its own padding."""
    found, piece = b"", b""
    assert len(text) % 4 == 0, text[-200:]
    for at in range(0, len(text), 4):
        piece += text[at:at + 4]
        if piece.endswith(b"="):
            found, piece = found + base64.b64decode(piece, validate=True), b""
    return found + base64.b64decode(piece, validate=True)


def plain(form, body):
    """What has come of a body, out of its base64."""
    return decoded(body[:len(body) // 4 * 4]) if form == WEB_TEXT else body


def framed(message, flag=0):
    return struct.pack(">BI", flag, len(message)) + message


def web(body):
    """gRPC-Web: messages, then the trailers as the last frame."""
    messages, at = [], 0
    while body[at] != 0x80:
        length = struct.unpack(">I", body[at + 1:at + 5])[0]
        messages.append(body[at + 5:at + 5 + length])
        at += 5 + length
    assert len(body) == at + 5 + struct.unpack(">I", body[at + 1:at + 5])[0]
    trailers = dict(line.split(": ", 1) for line in body[at + 5:].decode().split("\r\n") if line)
    if trailers["grpc-status"] == "0":
        return Document(messages, None)
    details = trailers.get("grpc-status-details-bin", "")
    code = next(c for c in grpc.StatusCode if str(c.value[0]) == trailers["grpc-status"])
    return Document(messages, refusal_of(
        code, urllib.parse.unquote(trailers.get("grpc-message", "")),
        base64.b64decode(details + "=" * (-len(details) % 4))))


# How the body of each form is read.
JSON_FORMS = {NDJSON: lines, EVENTS: events, JSON: array}
WEB_FORMS = {WEB: web, WEB_TEXT: lambda body: web(decoded(body))}


class Reading:
    """A response over HTTP/1.1 whose body is read as it comes; a context."""

    def __init__(self, suite, who, verb, path, body=None, **fields):
        self._caller = Caller(suite, who)
        self.response = self._caller.begin(verb, path, body, **fields)
        self.body = b""

    def until(self, condition):
        """Reads on until that is true of the body."""
        while not condition(self.body):
            more = self.response.read1(65_536)
            assert more, f"the response ended: {self.body[-500:]}"
            self.body += more
        return self.body

    def whole(self):
        """The body to its end, which the caller is told by HTTP."""
        self.body += self.response.read()
        return self.body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.response.close()
        self._caller.connection.close()


def feed(suite, form, **fields):
    """The events of the partner's enrollments, in that form."""
    if form in JSON_FORMS:
        return Reading(suite, "partner", "GET", FEED, accept=form, **fields)
    message = framed(members.WatchMemberEventsRequest().SerializeToString())
    body = base64.b64encode(message) if form == WEB_TEXT else message
    return Reading(suite, "partner", "POST", WATCH, body, content_type=form, **fields)


@contextlib.contextmanager
def members_killed(suite):
    """Without the members service, which dies at once and is back at the end."""
    suite.kill("members")
    try:
        yield
    finally:
        suite.start("members")
        caller = Caller(suite, "partner")
        wait_until(
            lambda: caller("GET", "/v1/regions/130302")[0].status == 200, what="the members again")
        caller.connection.close()
