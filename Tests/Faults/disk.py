"""Faults of the disk under a process of ours: see faults.c, which is built here and preloaded."""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import typing

SOURCE = pathlib.Path(__file__).with_name("faults.c")
SYNC_FAILS, WRITE_FAILS, DISK_FULL, HALF_WRITE_AND_DEATH, DEATH = range(1, 6)
NAMES = {SYNC_FAILS: "fsync fails", WRITE_FAILS: "a write fails", DISK_FULL: "the disk is full",
         HALF_WRITE_AND_DEATH: "half a page, then killed", DEATH: "killed at a write or fsync"}
_LAYOUT = struct.Struct("=iiqq")  # struct faults
_RECORD = struct.Struct("=IIqqq")  # struct record
WRITE, SYNC, TRUNCATE, RENAME, LINK, REMOVE = range(1, 7)  # enum change


class Change(typing.NamedTuple):
    """A change of a file. `offset` of a SYNC is when it began; `data` of a RENAME or LINK is the
    new path."""

    kind: int
    path: str
    time_ns: int
    offset: int
    data: bytes


class Disk:
    """The library, and the file through which it is told what to do."""

    def __init__(self):
        # The server runs as another user.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="yijia-disk-"))
        os.chmod(self.folder, 0o755)
        self.library = self.folder / "faults.so"
        subprocess.run(
            [os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", self.library, SOURCE,
             "-ldl", "-lpthread"], check=True)
        self._file = self.folder / "faults"
        self._file.write_bytes(_LAYOUT.pack(0, 0, 0, 0))
        os.chmod(self._file, 0o666)

    @property
    def environment(self):
        return {"LD_PRELOAD": str(self.library), "YIJIA_FAULTS": str(self._file)}

    def break_it(self, kind, lasts=False, before=0):
        """From now on, after so many more calls; once, or until `mend`."""
        with open(self._file, "r+b") as file:
            file.write(_LAYOUT.pack(0, 0, 0, 0))
            file.flush()
            file.seek(0)
            file.write(_LAYOUT.pack(kind, lasts, before, 0))

    def mend(self):
        with open(self._file, "r+b") as file:
            file.write(struct.pack("=i", 0))

    @property
    def records(self):
        """The file of what processes with `recorder` did."""
        return self.folder / "records"

    @property
    def recorder(self):
        """What processes get in their environment so that their changes are recorded."""
        self.records.touch()
        os.chmod(self.records, 0o666)
        return {"LD_PRELOAD": str(self.library), "YIJIA_RECORD": str(self.records)}

    @property
    def met(self):
        """How often the fault was met."""
        return _LAYOUT.unpack(self._file.read_bytes())[3]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def records(path):
    """What processes did to their store's files. A killed one may leave half a record."""
    with open(path, "rb") as file:
        while len(head := file.read(_RECORD.size)) == _RECORD.size:
            kind, path_bytes, time_ns, offset, count = _RECORD.unpack(head)
            rest = file.read(path_bytes + count)
            if len(rest) < path_bytes + count:
                return
            path, data = rest[:path_bytes].decode(), rest[path_bytes:]
            yield Change(kind, path, time_ns, offset, data)
