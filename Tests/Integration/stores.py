"""Where services keep their data: files of SQLite, or schemas of a PostgreSQL server of our own."""

import contextlib
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess

from processes import ROOT

SCRIPT = ROOT / "scripts/postgres.sh"


class Files:
    """A SQLite file a service, so one process a service."""

    engine = "sqlite"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "data"

    def url(self, service):
        return f"sqlite:{self.folder / service}.sqlite"

    def keep(self, target):
        """All data as they are now, while no service runs."""
        shutil.copytree(self.folder, target)

    def put_back(self, kept):
        shutil.rmtree(self.folder)
        shutil.copytree(kept, self.folder)

    def copy(self, service, target):
        """A second store with the same data: its URL."""
        shutil.copy(self.folder / f"{service}.sqlite", target)
        return f"sqlite:{target}"

    def run(self, url, sql):
        """Runs statements behind everybody's back; the rows of the last one."""
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection:
            rows = connection.execute(sql).fetchall()
            connection.commit()
            return rows

    def run_after(self, change, url, sql):
        """The rows of a query as they would be after a change, which is not kept."""
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection:
            connection.execute(change)
            return connection.execute(sql).fetchall()

    def close(self):
        pass


class Schemas:
    """A schema a service, of whatever server the URL names."""

    engine = "postgres"

    def __init__(self, url):
        self.base = url

    def url(self, service):
        return self._with_schema(self.base, service)

    @staticmethod
    def _with_schema(base, service):
        mark = "&" if "?" in base else "?"
        return f"{base}{mark}options=-csearch_path%3D{service}"

    def run(self, url, *statements):
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", url,
             *(part for sql in statements for part in ("-c", sql))],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\x1f")) for line in done.stdout.splitlines()]

    def run_after(self, change, url, sql):
        """The rows of a query as they would be after a change, which is not kept."""
        return self.run(url, "BEGIN", change, sql, "ROLLBACK")

    def close(self):
        pass


class PrivateServer(Schemas):
    """A server that is started for the test, may be killed, and ends with it."""

    def __init__(self, environment=None):
        """`environment`: what the server gets in its own."""
        self.environment = environment or {}
        folder, url = self._script("start").split()
        self.folder = pathlib.Path(folder)
        super().__init__(url)
        self._copies = 0

    @property
    def postmaster(self):
        return int((self.folder / "data/postmaster.pid").read_text().split()[0])

    @property
    def backends(self):
        """Processes that serve connections, write the log and so on."""
        children = pathlib.Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children")
        return [int(pid) for pid in children.read_text().split()]

    @property
    def expendable(self):
        """Those whose end the server survives: without the one that recovers it gives up."""
        def is_recovering(pid):
            try:
                return b"startup" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                return True
        return [pid for pid in self.backends if not is_recovering(pid)]

    def kill(self):
        """SIGKILL of the server as a whole."""
        for pid in [self.postmaster, *self.backends]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start_again(self):
        self._script("again", self.folder)

    def keep(self, target):
        self.kill()
        self._copy(self.folder / "data", target)
        self.start_again()

    def put_back(self, kept):
        self.kill()
        shutil.rmtree(self.folder / "data")
        self._copy(kept, self.folder / "data")
        self.start_again()

    @staticmethod
    def _copy(source, target):
        # Owner and mode as they were: the server insists on both.
        subprocess.run(["cp", "-a", source, target], check=True, timeout=60)

    def copy(self, service, _target):
        self._copies += 1
        server, database = self.base.rsplit("/", 1)
        name = f"copy{self._copies}"
        self.run(f"{server}/template1", f"CREATE DATABASE {name} TEMPLATE {database}")
        return self._with_schema(f"{server}/{name}", service)

    def close(self):
        self._script("stop", self.folder)

    def _script(self, verb, *arguments):
        return subprocess.run(
            [SCRIPT, verb, *arguments], check=True, capture_output=True, text=True, timeout=120,
            env={**os.environ, **self.environment}).stdout
