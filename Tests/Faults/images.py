"""What a power cut leaves of a folder whose changes were recorded: see disk.py."""

import os
import pathlib
import shutil
import subprocess

from disk import LINK, REMOVE, RENAME, SYNC, TRUNCATE, WRITE

PAGE, SECTOR = 4096, 512
FATES = ("nothing", "some", "all")


class Images:
    """The files of a folder as they are on disk for sure, and what was written since each file's
    last fsync. A file that is not in `durable` is as it was in `base`.

    Names are as the processes had them: file systems keep them in a journal of their own, which
    every fsync writes.
    """

    def __init__(self, base, folder):
        self.base, self._prefix = pathlib.Path(base), f"{folder}/"
        self.durable = {}  # name -> bytearray, or None for a file that was removed
        self.pending = {}  # name -> changes

    def take(self, change):
        name = change.path.removeprefix(self._prefix)
        if change.kind == SYNC:
            # What was written while the fsync went on may have come too late for it.
            pending = self.pending.pop(name, [])
            synced = [each for each in pending if each.time_ns <= change.offset]
            if synced:
                self._apply(self._file(name), synced)
            if len(synced) < len(pending):
                self.pending[name] = [each for each in pending if each.time_ns > change.offset]
        elif change.kind in (RENAME, LINK):
            new = change.data.decode().removeprefix(self._prefix)
            self.durable[new] = self._file(name)
            self.pending[new] = self.pending.get(name, []).copy()
            if change.kind == RENAME:
                self._remove(name)
        elif change.kind == REMOVE:
            self._remove(name)
        else:
            self._file(name)
            self.pending.setdefault(name, []).append(change)

    def _remove(self, name):
        self.durable[name] = None
        self.pending.pop(name, None)

    def _file(self, name):
        if self.durable.get(name) is None:
            source = self.base / name
            is_new = name in self.durable or not source.is_file()
            self.durable[name] = bytearray(b"" if is_new else source.read_bytes())
        return self.durable[name]

    @staticmethod
    def _apply(file, changes):
        for kind, _, _, offset, data in changes:
            if kind == TRUNCATE:
                del file[offset:]
            if len(file) < offset:
                file.extend(bytes(offset - len(file)))
            if kind == WRITE:
                file[offset:offset + len(data)] = data

    def after_cut(self, fate, generator):
        """What the disk may hold: `nothing` of what is not synced, `all`, or `some`."""
        files = dict(self.durable)
        for name, changes in self.pending.items():
            if fate == "some":
                changes = self._some(changes, generator)
            if changes and fate != "nothing":
                files[name] = self._file(name).copy()
                self._apply(files[name], changes)
        return files

    @staticmethod
    def _some(changes, generator):
        """Half of their pages; of the last one, some sectors."""
        pages = [page for change in changes for page in _pages(change)]
        kept = [page for page in pages if generator.random() < 0.5]
        if kept and kept[-1].kind == WRITE and len(kept[-1].data) > SECTOR:
            sectors = generator.randrange(1, len(kept[-1].data) // SECTOR + 1)
            kept[-1] = kept[-1]._replace(data=kept[-1].data[:SECTOR * sectors])
        return kept


def _pages(change):
    """A write as the kernel does it: page by page, in any order."""
    start, end = change.offset, change.offset + len(change.data)
    if change.kind == TRUNCATE or not change.data:
        yield change
    while start < end:
        stop = min(end, (start // PAGE + 1) * PAGE)
        data = change.data[start - change.offset:stop - change.offset]
        yield change._replace(offset=start, data=data)
        start = stop


def put(base, files, folder):
    """Makes `folder` again: as `base`, with other files, of the same owner."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["cp", "-a", base, folder], check=True, timeout=600)
    owner = os.stat(folder)
    for name, data in files.items():
        path = pathlib.Path(folder) / name
        if data is None:
            path.unlink(missing_ok=True)
            continue
        is_new = not path.exists()
        path.write_bytes(data)
        if is_new:
            os.chmod(path, 0o600)
            os.chown(path, owner.st_uid, owner.st_gid)
