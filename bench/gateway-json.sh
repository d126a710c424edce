#!/usr/bin/env bash
# What a call costs the gateway as JSON beside the same call as gRPC: GetRegion of a running suite,
# by a partner, with TLS, 4 connections × 32 streams of HTTP/2; and JSON over HTTP/1.1.
#
#   bench/gateway-json.sh
#   CALLS=5000 ROUNDS=1 bench/gateway-json.sh
#
# Microseconds of processor time a call, of the gateway and with yijia-members behind it, medians of
# ROUNDS (3) with CALLS (20000).
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

CALLS=${CALLS:-20000} ROUNDS=${ROUNDS:-3} REGION=regions/130300
command -v h2load >/dev/null || die "needs h2load: apt-get install nghttp2-client"
. bench/suite.sh

prepare sqlite
start sqlite
key=$(sed -n 's/.*"partner_api_key" *: *"\([^"]*\)".*/\1/p' "$work/sqlite/connection.json")
{ # a message of one field, `name`, behind its prefix
  printf '\0\0\0\0'
  printf "\\x$(printf %02x $((${#REGION} + 2)))\x0a\\x$(printf %02x ${#REGION})%s" "$REGION"
} >"$work/body"

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

load() { # NAME ARGUMENT...
  local gateway members
  gateway=$(ticks "${pids[2]}") members=$(ticks "${pids[0]}")
  h2load -n "$CALLS" -c 4 -t 1 -H "x-api-key: $key" "${@:2}" >"$work/out"
  gateway=$(($(ticks "${pids[2]}") - gateway)) members=$(($(ticks "${pids[0]}") - members))
  grep -q "status codes: $CALLS 2xx" "$work/out" || die "$1: $(cat "$work/out")"
  awk -v name="$1" -v g="$gateway" -v m="$members" -v us="$((1000000 / $(getconf CLK_TCK)))" \
    -v calls="$CALLS" 'BEGIN { print name, g * us / calls, (g + m) * us / calls }' >>"$work/rows"
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
    name, *values = line.split()
    rows.setdefault(name, []).append([float(value) for value in values])
medians = {name: [statistics.median(v) for v in zip(*values)] for name, values in rows.items()}
print(f"{'':12}{'gateway':>10}{'':>10}{'both':>10}")
for name, values in medians.items():
    print(f"{name:12}" + "".join(
        f"{value:7.1f} µs{value / first:8.2f} ×" for value, first in zip(values, medians["grpc"])))
P
