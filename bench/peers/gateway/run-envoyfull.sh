#!/usr/bin/env bash
# Envoy doing the duties of our gateway on every call, one worker thread, foreground:
# API-key authentication, per-method authorisation, a per-partner token bucket,
# gRPC metrics per method, a JSON access log, deadline enforcement, retries, circuit
# breakers, gRPC health checks off (nghttpd has none), outlier ejection.
# Measure it with HEADER='x-api-key: bench-partner-key' ./measure.sh envoy envoyfull
# LISTEN and BACKEND are loopback port numbers; ACCESS_LOG defaults to /dev/null.
set -euo pipefail
LISTEN=${LISTEN:?listen port}
BACKEND=${BACKEND:?backend port}
ENVOY=${ENVOY:-$(cd "$(dirname "$0")/../../.." && pwd)/.venv/bin/envoy}
ACCESS_LOG=${ACCESS_LOG:-/dev/null}
ext=type.googleapis.com/envoy.extensions
config=$(cat <<YAML
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: $LISTEN}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": $ext.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          codec_type: HTTP2
          access_log:
          - name: file
            typed_config:
              "@type": $ext.access_loggers.file.v3.FileAccessLog
              path: $ACCESS_LOG
              log_format:
                json_format:
                  at: "%START_TIME%"
                  id: "%REQ(X-REQUEST-ID)%"
                  peer: "%DOWNSTREAM_REMOTE_ADDRESS%"
                  path: "%REQ(:PATH)%"
                  authority: "%REQ(:AUTHORITY)%"
                  status: "%RESPONSE_CODE%"
                  grpc: "%GRPC_STATUS%"
                  flags: "%RESPONSE_FLAGS%"
                  received: "%BYTES_RECEIVED%"
                  sent: "%BYTES_SENT%"
                  ms: "%DURATION%"
                  upstream: "%UPSTREAM_HOST%"
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: "/"}
                route:
                  cluster: back
                  timeout: 0s
                  max_stream_duration: {grpc_timeout_header_max: 0s}
                  retry_policy: {retry_on: "connect-failure,refused-stream,unavailable", num_retries: 2}
                  rate_limits:
                  - actions: [{request_headers: {header_name: x-api-key, descriptor_key: partner}}]
          http_filters:
          - name: key
            typed_config:
              "@type": $ext.filters.http.api_key_auth.v3.ApiKeyAuth
              credentials: [{key: bench-partner-key, client: bench}, {key: other-partner-key, client: other}]
              key_sources: [{header: x-api-key}]
          - name: authz
            typed_config:
              "@type": $ext.filters.http.rbac.v3.RBAC
              rules:
                action: ALLOW
                policies:
                  echo:
                    permissions: [{url_path: {path: {prefix: /bench.Echo/}}}]
                    principals: [{any: true}]
          - name: quota
            typed_config:
              "@type": $ext.filters.http.local_ratelimit.v3.LocalRateLimit
              stat_prefix: quota
              token_bucket: {max_tokens: 100000000, tokens_per_fill: 100000000, fill_interval: 1s}
              filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}}
              filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}
              descriptors:
              - entries: [{key: partner, value: bench-partner-key}]
                token_bucket: {max_tokens: 100000000, tokens_per_fill: 100000000, fill_interval: 1s}
          - name: grpcstats
            typed_config:
              "@type": $ext.filters.http.grpc_stats.v3.FilterConfig
              stats_for_all_methods: true
              enable_upstream_stats: true
          - name: router
            typed_config:
              "@type": $ext.filters.http.router.v3.Router
  clusters:
  - name: back
    type: STATIC
    connect_timeout: 1s
    lb_policy: LEAST_REQUEST
    outlier_detection: {}
    circuit_breakers:
      thresholds: [{max_connections: 1024, max_pending_requests: 1024, max_requests: 4096, retry_budget: {}}]
    load_assignment:
      cluster_name: back
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $BACKEND}}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": $ext.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
YAML
)
exec "$ENVOY" --config-yaml "$config" --concurrency 1 --disable-hot-restart --log-level "${LOG_LEVEL:-error}"
