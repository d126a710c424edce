#!/usr/bin/env bash
# What a call costs the gateway as JSON beside the same call as gRPC: GetRegion of a running suite,
# by a partner, with TLS, 4 connections × 32 streams of HTTP/2; and JSON over HTTP/1.1.
#
#   bench/gateway-json.sh
#   CALLS=5000 ROUNDS=1 bench/gateway-json.sh
#
# Microseconds of the gateway's processor time a call, medians of ROUNDS (3) with CALLS (20000).
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

CALLS=${CALLS:-20000} ROUNDS=${ROUNDS:-3} REGION=regions/130300
command -v h2load >/dev/null || die "needs h2load: apt-get install nghttp2-client"
. bench/suite.sh

prepare sqlite
say 'limits: [{methods: [], calls_per_second: 1000000, burst: 1000000, streams_max: 100000}]' \
  >>"$work/sqlite/gateway.yaml"
start sqlite
key=$(sed -n 's/.*"partner_api_key" *: *"\([^"]*\)".*/\1/p' "$work/sqlite/connection.json")
{ # a message of one field, `name`, behind its prefix
  printf '\0\0\0\0\x%02x' $((${#REGION} + 2))
  printf '\x0a\x%02x%s' "${#REGION}" "$REGION"
} >"$work/body"

load() { # NAME ARGUMENT...
  local before after
  before=$(awk '{ print $14 + $15 }' "/proc/${pids[2]}/stat")
  h2load -n "$CALLS" -c 4 -t 1 -H "x-api-key: $key" "${@:2}" >"$work/out"
  after=$(awk '{ print $14 + $15 }' "/proc/${pids[2]}/stat")
  grep -q "status codes: $CALLS 2xx" "$work/out" || die "$1: $(cat "$work/out")"
  awk -v name="$1" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v calls="$CALLS" \
    'BEGIN { print name, ticks * 1e6 / hz / calls }' >>"$work/rows"
}

at=https://127.0.0.1:$PORT
for round in $(seq "$ROUNDS"); do
  warn "round $round of $ROUNDS"
  load grpc -m 32 -d "$work/body" -H 'content-type: application/grpc' -H 'te: trailers' \
    "$at/yijia.members.v1.MembersService/GetRegion"
  load json -m 32 "$at/v1/$REGION"
  load json-http1 --h1 "$at/v1/$REGION"
done
python3 - "$work/rows" <<'P'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    name, value = line.split()
    rows.setdefault(name, []).append(float(value))
grpc = statistics.median(rows["grpc"])
for name, values in rows.items():
    print(f"{name:12}{statistics.median(values):8.1f} µs{statistics.median(values) / grpc:8.2f} ×")
P
