#!/usr/bin/env bash
# A private PostgreSQL for tests and benchmarks: its own temporary folder, a free port of the
# loopback interface and a socket beside it; nobody else's server is touched. Durable as by default.
#
#   scripts/postgres.sh run COMMAND…   starts one, runs COMMAND with YIJIA_TEST_POSTGRES set to its
#                                      URL, stops it and removes its folder, whatever happens
#   scripts/postgres.sh start          starts one; prints its folder, then its URL
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
    >"$folder/initdb.log"
  port=$(free_port)
  # Clients are tests: many stores at once, some of them with replicas.
  as_server "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 60 start -o "\
    -c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$folder \
    -c max_connections=300 -c shared_buffers=64MB -c log_min_messages=fatal" >"$folder/start.log" ||
    { cat "$folder/server.log" >&2; die "the server didn't start"; }
  url=postgres://yijia@127.0.0.1:$port/postgres
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
  stop) stop "${2:?which folder}" ;;
  run)
    shift
    here=$PWD
    trap '[ -z "${folder:-}" ] || stop "$folder"' EXIT
    start
    cd "$here"
    YIJIA_TEST_POSTGRES=$url "$@"
    ;;
  *) die "usage: scripts/postgres.sh run COMMAND… | start | stop FOLDER" ;;
esac
