"""A platform partner of Yijia, in Python: docs/partners.md tells it step by step.

    python partner.py CONNECTION enroll PEOPLE.ndjson    one after the other
    python partner.py CONNECTION stream PEOPLE.ndjson    as one stream
    python partner.py CONNECTION follow [CURSOR]         what became of them

The stubs are made from the contracts (see the guide) and must be on PYTHONPATH.
"""

import json
import sys
import threading
import time

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from yijia.members.v1 import enrollment_pb2, event_pb2, members_service_pb2_grpc


# guide: connect
def connect(file):
    """The stub, and the metadata of every call. `file` is the suite's connection.json."""
    with open(file, encoding="utf-8") as text:
        about = json.load(text)
    with open(about["ca_file"], "rb") as authority:
        trust = grpc.ssl_channel_credentials(authority.read())
    channel = grpc.secure_channel(about["gateway"], trust)
    metadata = [("x-api-key", about["partner_api_key"]), ("accept-language", "en")]
    return members_service_pb2_grpc.MembersServiceStub(channel), metadata
# guide: end


def read(file):
    """Requests, one a line, as JSON: {"requestId": …, "application": {…}}. A row is a line's
    number."""
    with open(file, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                request = json_format.Parse(line, enrollment_pb2.EnrollMembersRequest())
            except json_format.ParseError as wrong:
                raise SystemExit(f"line {number}: {wrong}") from None
            request.row = number
            yield request


# guide: errors
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED,
           grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED)
PAUSE_MAX = 60  # seconds; a longer wait means that the quota of the day is used up
# The record is refused; the next one may be fine. Any other code ends the program.
REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)


def details(error):
    """What an error says beside its code: ErrorInfo, BadRequest, RetryInfo by their names."""
    found = {}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                name = detail.type_url.rpartition(".")[2]
                message = getattr(error_details_pb2, name)()
                detail.Unpack(message)
                found[name] = message
    return found


def insist(call, request, metadata, attempts=6):
    """Calls until there is an answer. The same request_id makes a repeated call harmless."""
    for attempt in range(attempts):
        try:
            return call(request, metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            wait = pause(error, attempt)
            if wait is None or attempt == attempts - 1:
                raise
            time.sleep(wait)


def explain(error):
    """The reason of an error, and its message, which names every wrong field."""
    about = details(error)
    reason = about["ErrorInfo"].reason if "ErrorInfo" in about else error.code().name
    return f"{reason}: {error.details()}"


def pause(error, attempt):
    """Seconds to wait: what the server asks for, else ever longer; None if a retry is no use."""
    if error.code() not in PASSING:
        return None
    asked = details(error).get("RetryInfo")
    if asked:
        wait = asked.retry_delay.ToTimedelta().total_seconds()
        return wait if wait <= PAUSE_MAX else None
    # A limit without a time does not pass: the message is too large.
    return None if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED else min(2 ** attempt, 30)
# guide: end


# guide: one
def enroll(stub, metadata, record):
    """Enrolls one person; prints the enrollment, or why it was refused."""
    request = enrollment_pb2.SubmitEnrollmentRequest(
        request_id=record.request_id, application=record.application)
    try:
        response = insist(stub.SubmitEnrollment, request, metadata)
        print(f"row {record.row}: {response.enrollment.name}")
    except grpc.RpcError as error:
        if error.code() not in REFUSED:
            raise
        print(f"row {record.row}: {explain(error)}")
# guide: end


# guide: stream
WINDOW = 500  # records that are sent and not answered yet; the contract allows 1,000


def stream(stub, metadata, records):
    """Enrolls many over one call; begins again with what has no answer when it breaks off."""
    waiting = {record.row: record for record in records}
    refused = 0
    for attempt in range(20):
        window = threading.Semaphore(WINDOW)

        def send(rows=tuple(waiting.values())):
            for record in rows:
                window.acquire()
                yield record

        try:
            for result in stub.EnrollMembers(send(), metadata=metadata):
                window.release()
                del waiting[result.row]
                if result.HasField("error"):
                    refused += 1
                    print(f"row {result.row}: {result.error.reason}: {result.error.message}")
            return print(f"done, {refused} refused")
        except grpc.RpcError as error:
            wait = pause(error, attempt)
            if wait is None:
                raise
            time.sleep(wait)
    raise SystemExit(f"{len(waiting)} rows have no answer yet: run this again")
# guide: end


# guide: follow
def follow(stub, metadata, cursor=""):
    """Prints what becomes of our enrollments, for ever. Keep each cursor with what it led to."""
    attempt = 0
    while True:
        request = event_pb2.WatchMemberEventsRequest(cursor=cursor)
        try:
            for event in stub.WatchMemberEvents(request, metadata=metadata):
                cursor, attempt = event.cursor, 0
                changed = event.enrollment_changed
                state = enrollment_pb2.EnrollmentState.Name(changed.state)
                print(changed.enrollment, state, cursor, flush=True)
        except grpc.RpcError as error:
            wait = pause(error, attempt)
            if wait is None:
                raise
            time.sleep(wait)
            attempt += 1
# guide: end


def main(file, command, *rest):
    stub, metadata = connect(file)
    match command:
        case "enroll":
            for record in read(*rest):
                enroll(stub, metadata, record)
        case "stream":
            stream(stub, metadata, read(*rest))
        case "follow":
            follow(stub, metadata, *rest)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as failed:
        raise SystemExit(explain(failed)) from None
    except (OSError, ValueError) as failed:
        raise SystemExit(str(failed)) from None
