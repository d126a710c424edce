"""The contracts in Python: stubs made at test time, and what a refusal says."""

import dataclasses
import pathlib
import re
import sys

import grpc

# What a caller must never read: names of our libraries, SQL, source files, Swift's error texts.
LEAKS = re.compile(
    r"sqlite|grdb|\bNIO|nghttp2|libpq|protobuf-?c|\bSELECT\b|\bINSERT\b|\bUPDATE\b|constraint"
    r"|\.swift\b|Swift\.|errno|BoringSSL|RPCError|fatal", re.IGNORECASE)


def generate(proto_root, target):
    """Writes the stubs of every contract that the tests use to `target`, importable at once."""
    from grpc_tools import protoc
    import grpc_tools

    files = sorted(
        str(path.relative_to(proto_root))
        for part in ("yijia", "bench", "google/api", "google/rpc", "google/type", "grpc",
                     "opentelemetry")
        for path in (proto_root / part).rglob("*.proto"))
    # Google's own descriptors come with the protobuf package: they must be the same everywhere.
    well_known = str(pathlib.Path(grpc_tools.__file__).parent / "_proto")
    status = protoc.main(
        ["protoc", f"-I{proto_root}", f"-I{well_known}", f"--python_out={target}",
         f"--grpc_python_out={target}", *files])
    assert status == 0, "grpc_tools.protoc could not read the contracts"
    sys.path.insert(0, str(target))
    # `grpc` is a package of grpcio: ours are found beside it.
    grpc.__path__.append(str(target / "grpc"))


@dataclasses.dataclass
class Refusal:
    """What a failed call tells its caller."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: dict = dataclasses.field(default_factory=dict)
    locale: str = ""
    localized: str = ""
    retry_seconds: float | None = None
    # Field path -> reason, and its text.
    violations: dict = dataclasses.field(default_factory=dict)
    descriptions: list = dataclasses.field(default_factory=list)

    @property
    def texts(self):
        return [self.message, self.localized, *self.descriptions, *self.metadata.values()]


def refusal(error):
    """Reads the status of a failed call, with its details."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    return refusal_of(error.code(), error.details() or "", details)


def refusal_of(code, message, details):
    from google.rpc import error_details_pb2, status_pb2

    result = Refusal(code, message)
    status = status_pb2.Status.FromString(details)
    if details:
        assert status.code == code.value[0], "the status in the details has another code"
        assert status.message == message, "the status in the details has another message"
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        localized = error_details_pb2.LocalizedMessage()
        request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            assert not result.reason, "more than one ErrorInfo"
            result.reason, result.domain = info.reason, info.domain
            result.metadata = dict(info.metadata)
        elif detail.Unpack(localized):
            result.locale, result.localized = localized.locale, localized.message
        elif detail.Unpack(request):
            for violation in request.field_violations:
                result.violations[violation.field] = violation.reason
                result.descriptions.append(violation.description)
        elif detail.Unpack(retry):
            result.retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return result


def refused(call, *arguments, **keywords):
    """Makes a call that must fail, to the end of its stream; what it says."""
    try:
        answer = call(*arguments, **keywords)
        if hasattr(answer, "__next__"):
            for _ in answer:
                pass
    except grpc.RpcError as error:
        return refusal(error)
    raise AssertionError(f"not refused: {answer}")


HAN = re.compile(r"[一-鿿]")


def check_texts(told, language):
    """Texts are in the language of the caller, and no library's."""
    for text in told.texts:
        assert not LEAKS.search(text), f"library text reaches the caller: {text}"
    for text in [told.message, told.localized, *told.descriptions]:
        assert text, "a text is empty"
        assert bool(HAN.search(text)) == (language == "zh-CN"), f"not {language}: {text}"
    assert told.locale == language
