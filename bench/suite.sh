#!/usr/bin/env bash
# A release suite on either engine, for measurements that go through the gateway; to be sourced.
#
#   prepare ENGINE   certificates, keys, configurations and a new store: $work/ENGINE
#   start ENGINE     members, stations and gateway on it, with the example tree: $pids
#   stop             all of them, and the server
#   ticks PID        clock ticks that a process has used

PORT=${PORT:-18443}
RELEASE=${RELEASE:-$ROOT/.build/release}

if [ "$RELEASE" = "$ROOT/.build/release" ]; then
  build_release "${SUITE[@]}" members-data
fi

work=$(mktemp -d)
pids=()
server=
stop() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
  [ -z "$server" ] || scripts/postgres.sh stop "$server"
  server=
}
trap 'stop; rm -rf "$work"' EXIT

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

serving() { # ADMIN_PORT PID
  local tries
  for tries in $(seq 300); do
    ! curl -sf -o /dev/null "http://127.0.0.1:$1/metrics" || return 0
    kill -0 "$2" 2>/dev/null || die "a service ended: see its log above"
    sleep 0.1
  done
  die "nothing serves on port $1 after $tries tries"
}

# Certificates, keys, configurations and the tree, made by the suite itself; then the same
# executables on the store of the engine.
prepare() { # ENGINE
  local data=$work/$1 url
  flags=(--data "$data" --gateway-port "$PORT" --members-port "$((PORT + 1))"
    --stations-port "$((PORT + 2))")
  "$RELEASE/yijia" dev "${flags[@]}" --idle --once >"$work/log" ||
    die "yijia dev: $(cat "$work/log")"
  # One credential makes all calls, more of them than a partner may.
  say 'limits: [{methods: [], calls_per_second: 1000000, burst: 1000000, streams_max: 100000}]' \
    >>"$data/gateway.yaml"
  # What was imported is imported again: into the store that is measured.
  rm -f "$data"/data/members.sqlite*
  if [ "$1" = postgres ]; then
    scripts/postgres.sh start >"$work/server"
    server=$(sed -n 1p "$work/server")
    url=$(sed -n 2p "$work/server")
    sed -i "s|database: .*|database: \"$url\"|" "$data/members.yaml"
  fi
}

start() { # ENGINE
  local data=$work/$1 name admin=$((PORT + 1001))
  # One after the other: who finds its backend missing tries again after a second only.
  for name in members stations gateway; do
    "$RELEASE/yijia-$name" --config "$data/$name.yaml" >>"$work/log" 2>&1 &
    pids+=($!)
    [ "$name" != gateway ] || admin=$((PORT + 1000))
    serving "$admin" "${pids[-1]}"
    admin=$((admin + 1))
  done
  "$RELEASE/yijia" import examples/organizations.csv --connection "$data/connection.json" \
    >>"$work/log"
}
