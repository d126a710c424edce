#!/usr/bin/env bash
# nginx grpc_pass as a plaintext h2c gRPC reverse proxy, one worker process, foreground.
# Package: nginx-light (apt). LISTEN and BACKEND are loopback port numbers.
# A master process stays alongside the worker; CPU is counted over both.
# nginx 1.22 opens one upstream connection per concurrent call (no upstream multiplexing);
# the keepalive pool is sized so that connections are reused.
set -euo pipefail
LISTEN=${LISTEN:?listen port}
BACKEND=${BACKEND:?backend port}
NGINX=${NGINX:-/usr/sbin/nginx}
prefix=${STATE_DIR:-$(cd "$(dirname "$0")/../../.." && pwd)/.build-peers/gateway}/nginx-$LISTEN
mkdir -p "$prefix/tmp"
chmod 755 "$prefix" "$prefix/tmp"
cat > "$prefix/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $prefix/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $prefix/tmp/body;
    proxy_temp_path $prefix/tmp/proxy;
    fastcgi_temp_path $prefix/tmp/fastcgi;
    uwsgi_temp_path $prefix/tmp/uwsgi;
    scgi_temp_path $prefix/tmp/scgi;
    client_max_body_size 0;          # the 1 MiB default caps a client stream's total bytes
    client_body_timeout 1h;          # 60 s default cuts quiet client streams
    send_timeout 1h;
    keepalive_requests 100000000;    # 1000 default closes a kept connection after 1000 calls
    upstream back {
        server 127.0.0.1:$BACKEND max_fails=0;
        keepalive 256;
        keepalive_requests 100000000;
    }
    server {
        listen 127.0.0.1:$LISTEN http2;
        location / {
            grpc_pass grpc://back;
            grpc_read_timeout 1h;    # 60 s default cuts quiet server streams
            grpc_send_timeout 1h;
        }
    }
}
CONF
exec "$NGINX" -p "$prefix" -e stderr -c "$prefix/nginx.conf"
