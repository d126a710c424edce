"""What the tests run against, by route: how a client reaches a server.

plaintext   directly
tls         directly; the server shows a certificate
mtls        directly; both show one
envoy       through Envoy, in plaintext
"""

import contextlib
import subprocess

import grpc

from clients import CHANNEL_OPTIONS
from envoy_proxy import Envoy
from interop import InteropServer
from reference import ReferenceServer

ROUTES = ("plaintext", "tls", "mtls", "envoy")


class World:
    def __init__(self, binaries, folder, authority):
        self.binaries, self.folder, self.authority = binaries, folder, authority
        self._started = {}

    def _once(self, key, make):
        if key not in self._started:
            self._started[key] = make()
        return self._started[key]

    def server_port(self, route):
        """Port of rpc-interop-server by that route."""
        if route == "envoy":
            return self._once("envoy", lambda: Envoy(
                self.folder, self.server("plaintext").port)).port
        return self.server(route).port

    def server(self, route):
        tls = None if route == "plaintext" else self.authority.server
        clients = self.authority.roots if route == "mtls" else None
        return self._once(("ours", route), lambda: InteropServer(
            self.binaries, self.folder, tls=tls, client_authority=clients))

    def reference(self, route):
        """A grpcio server by that route."""
        return self._once(("reference", route), lambda: ReferenceServer(route, self.authority))

    @contextlib.contextmanager
    def channel(self, route, options=(), port=None):
        """A grpcio channel to rpc-interop-server."""
        port = port or self.server_port(route)
        options = [*CHANNEL_OPTIONS, *options]
        if route in ("tls", "mtls"):
            chain, key = self.authority.client if route == "mtls" else (None, None)
            credentials = grpc.ssl_channel_credentials(
                self.authority.roots.read_bytes(), key and key.read_bytes(),
                chain and chain.read_bytes())
            channel = grpc.secure_channel(f"localhost:{port}", credentials, options)
        else:
            channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        with channel:
            yield channel

    def run_client(self, case, port, route="plaintext", flags=(), seconds=60):
        """Runs one case of rpc-interop-client; its output. It must end well."""
        command = [
            self.binaries / "rpc-interop-client", "--port", port, "--test-case", case]
        if route in ("tls", "mtls"):
            command += ["--tls-ca", self.authority.roots]
        if route == "mtls":
            chain, key = self.authority.client
            command += ["--tls-cert", chain, "--tls-key", key]
        done = subprocess.run(
            list(map(str, [*command, *flags])), capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, f"{case}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def close(self):
        for thing in reversed(list(self._started.values())):
            thing.close()
