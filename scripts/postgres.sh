#!/usr/bin/env bash
# A private PostgreSQL for tests and benchmarks: its own temporary folder, a free port of the
# loopback interface and a socket beside it; nobody else's server is touched. Durable as by default.
#
#   scripts/postgres.sh run COMMAND…   starts one, runs COMMAND with YIJIA_TEST_POSTGRES set to its
#                                      URL and YIJIA_TEST_POSTGRES_CA to the certificate that its
#                                      own is signed with, stops it and removes its folder, whatever
#                                      happens
#   scripts/postgres.sh start          starts one; prints its folder, then its URL
#   scripts/postgres.sh again FOLDER   starts that one again, on its port, after a kill
#   scripts/postgres.sh stop FOLDER    stops that one and removes the folder
#
# The server refuses root: as root it runs as `postgres`, else as the caller.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

programs() {
  local folder on_path
  on_path=$(dirname "$(command -v initdb || say /none/initdb)")
  for folder in /usr/lib/postgresql/*/bin "$on_path"; do
    if [ -x "$folder/initdb" ]; then
      say "$folder"
      return
    fi
  done
  die "no PostgreSQL server here (Debian: postgresql-15)"
}

as_server() {
  if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

free_port() {
  python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

start() {
  local bin port
  bin=$(programs)
  folder=$(mktemp -d "${TMPDIR:-/tmp}/yijia-postgres.XXXXXX")
  [ "$(id -u)" -ne 0 ] || chown postgres "$folder"
  chmod 755 "$folder"
  cd "$folder"
  as_server "$bin/initdb" -D "$folder/data" -U yijia -A trust -E UTF8 --locale=C --no-sync \
    --data-checksums >"$folder/initdb.log"
  port=$(free_port)
  # Clients are tests: many stores at once, some of them with replicas.
  cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1,127.0.0.2'
port = $port
unix_socket_directories = '$folder'
max_connections = 300
shared_buffers = 64MB
log_min_messages = fatal
ssl = on
ssl_cert_file = '$folder/server.crt'
ssl_key_file = '$folder/server.key'
END
  certify "$folder"
  serve "$folder" || die "the server didn't start"
  url=postgres://yijia@127.0.0.1:$port/postgres
}

# An authority, and the server's certificate: for the name localhost, and no other.
certify() {
  local folder=$1
  cd "$folder"
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
      -keyout authority.key -out authority.crt -subj /CN=test-authority
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key \
      -out server.csr -subj /CN=localhost
    openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial \
      -days 2 -out server.crt -extfile <(printf 'subjectAltName=DNS:localhost')
  } 2>"$folder/openssl.log" >&2 || { cat "$folder/openssl.log" >&2; die "no certificates"; }
  chmod 600 server.key
  [ "$(id -u)" -ne 0 ] || chown postgres server.key
}

serve() {
  local folder=$1
  as_server "$(programs)/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 60 start \
    >"$folder/start.log" || { cat "$folder/server.log" >&2; return 1; }
}

# A killed server's children may live on for a moment, and hold what the next one needs.
again() {
  local folder=$1 attempt
  [ -f "$folder/data/PG_VERSION" ] || die "$folder holds no server"
  cd /
  for ((attempt = 1; attempt <= 40; attempt++)); do
    ! serve "$folder" 2>>"$folder/again.log" || return 0
    sleep 0.25
  done
  cat "$folder/again.log" >&2
  die "the server didn't start again"
}

stop() {
  local folder=$1
  [ -f "$folder/data/PG_VERSION" ] || die "$folder holds no server"
  cd /
  as_server "$(programs)/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null || true
  rm -rf "$folder"
}

case ${1:-} in
  start)
    start
    say "$folder"
    say "$url"
    ;;
  again) again "${2:?which folder}" ;;
  stop) stop "${2:?which folder}" ;;
  run)
    shift
    here=$PWD
    trap '[ -z "${folder:-}" ] || stop "$folder"' EXIT
    start
    cd "$here"
    # Tests that want TLS say so.
    PGSSLMODE=disable YIJIA_TEST_POSTGRES=$url YIJIA_TEST_POSTGRES_CA=$folder/authority.crt "$@"
    ;;
  *) die "usage: scripts/postgres.sh run COMMAND… | start | again FOLDER | stop FOLDER" ;;
esac
