"""Python stubs of the contracts, made once a run into a temporary folder."""
import atexit
import pathlib
import shutil
import sys
import tempfile

from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
_out = tempfile.mkdtemp(prefix="yijia-stubs-")
atexit.register(shutil.rmtree, _out, ignore_errors=True)
_include = pathlib.Path(protoc.__file__).parent / "_proto"
# google/protobuf comes with the runtime; everything else from our folder.
_files = [str(f) for folder in ("yijia", "google/api", "google/rpc", "google/type", "grpc/testing")
          for f in sorted((PROTO / folder).rglob("*.proto"))]
if protoc.main(["protoc", f"-I{PROTO}", f"-I{_include}", f"--python_out={_out}",
                f"--grpc_python_out={_out}", *_files]):
    raise RuntimeError("protoc failed")
sys.path.insert(0, _out)
# The package google exists already, with the runtime's protobuf in it.
import google  # noqa: E402

google.__path__.append(str(pathlib.Path(_out) / "google"))
import grpc  # noqa: E402

_own_grpc = pathlib.Path(_out) / "grpc"
if _own_grpc.exists():
    grpc.__path__.append(str(_own_grpc))

from google.rpc import error_details_pb2 as details  # noqa: E402
from google.rpc import status_pb2  # noqa: E402
from google.type import latlng_pb2  # noqa: E402
from yijia.members.v1 import (code_pb2, enrollment_pb2, event_pb2, member_pb2,  # noqa: E402
                              members_service_pb2_grpc, organization_pb2, person_pb2)
from yijia.stations.v1 import (kiosk_pb2, point_pb2, stations_service_pb2_grpc,  # noqa: E402
                               visit_pb2)

Members = members_service_pb2_grpc.MembersServiceStub
Stations = stations_service_pb2_grpc.StationsServiceStub
