"""Envoy between a client and a server: plaintext HTTP/2 on both sides, one worker."""

import json
import pathlib
import sys

import grpc

from clients import CHANNEL_OPTIONS
from processes import Child, free_port_block, wait_until

_PACKAGE = "type.googleapis.com/envoy.extensions"
_HTTP2 = {"explicit_http_config": {"http2_protocol_options": {}}}


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _configuration(port, backend):
    manager = {
        "@type": f"{_PACKAGE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front", "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            # Without a limit of its own: the default of 15 s would cut streams short.
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "back", "timeout": "0s"}}],
        }]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": f"{_PACKAGE}.filters.http.router.v3.Router"}}],
    }
    cluster = {
        "name": "back", "type": "STATIC", "connect_timeout": "1s",
        # 1,000 calls at once are a test, not a reason to refuse.
        "circuit_breakers": {"thresholds": [
            {"max_requests": 5_000, "max_pending_requests": 5_000}]},
        "load_assignment": {"cluster_name": "back", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": _address(backend)}}]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_PACKAGE}.upstreams.http.v3.HttpProtocolOptions", **_HTTP2}},
    }
    return {"static_resources": {
        "listeners": [{"name": "front", "address": _address(port), "filter_chains": [
            {"filters": [{"name": "http", "typed_config": manager}]}]}],
        "clusters": [cluster]}}


class Envoy:
    def __init__(self, folder, backend):
        self.port = free_port_block([0])
        self.child = Child(
            [pathlib.Path(sys.executable).parent / "envoy",
             "--config-yaml", json.dumps(_configuration(self.port, backend)),
             "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"],
            folder / "logs" / f"envoy-{self.port}.log")
        wait_until(self._is_up, seconds=60, what="envoy")

    def _is_up(self):
        assert self.child.is_running, self.child.tail()
        with grpc.insecure_channel(f"127.0.0.1:{self.port}", CHANNEL_OPTIONS) as channel:
            try:
                grpc.channel_ready_future(channel).result(1)
            except grpc.FutureTimeoutError:
                return False
        return True

    def close(self):
        self.child.stop(20)
