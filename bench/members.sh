#!/usr/bin/env bash
# Enrollments through the gateway, with every check, durable before the answer: a second, by the
# clock; and what one costs, by process. Gateway, members and the load run from the release build.
#
#   bench/members.sh                      both engines
#   ENGINES=sqlite CALLS=5000 bench/members.sh
#
# CALLERS (64) share CONNECTIONS (4). "unary" is SubmitEnrollment, "stream" is EnrollMembers with as
# many records on their way as callers. CALLS (20000) a run, ROUNDS (3; the median counts).
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

ENGINES=${ENGINES:-sqlite postgres} CALLS=${CALLS:-20000} ROUNDS=${ROUNDS:-3}
CALLERS=${CALLERS:-64} CONNECTIONS=${CONNECTIONS:-4} PORT=${PORT:-18443}
RELEASE=${RELEASE:-$ROOT/.build/release}

if [ "$RELEASE" = "$ROOT/.build/release" ]; then
  for product in yijia yijia-gateway yijia-members yijia-stations members-data; do
    polite swift build -c release --product "$product"
  done
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

# Clock ticks that a process has used.
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
start() { # ENGINE
  local data=$work/$1 url
  local flags=(--data "$data" --gateway-port "$PORT" --members-port "$((PORT + 1))"
    --stations-port "$((PORT + 2))")
  "$RELEASE/yijia" dev "${flags[@]}" --idle --once >"$work/log" ||
    die "yijia dev: $(cat "$work/log")"
  if [ "$1" = postgres ]; then
    scripts/postgres.sh start >"$work/server"
    server=$(sed -n 1p "$work/server")
    url=$(sed -n 2p "$work/server")
    sed -i "s|database: .*|database: \"$url\"|" "$data/members.yaml"
  fi
  for name in members stations gateway; do
    "$RELEASE/yijia-$name" --config "$data/$name.yaml" >>"$work/log" 2>&1 &
    pids+=($!)
  done
  serving $((PORT + 1000)) "${pids[2]}"
  serving $((PORT + 1001)) "${pids[0]}"
  "$RELEASE/yijia" import examples/organizations.csv --connection "$data/connection.json" \
    >>"$work/log"
}

first=0
run() { # ENGINE MODE
  local gateway members
  gateway=$(ticks "${pids[2]}") members=$(ticks "${pids[0]}")
  "$RELEASE/members-data" load --connection "$work/$1/connection.json" --calls "$CALLS" \
    --callers "$CALLERS" --connections "$CONNECTIONS" --first "$first" --mode "$2" |
    sed "s/^/$1 /" >>"$work/rows"
  first=$((first + CALLS))
  gateway=$(($(ticks "${pids[2]}") - gateway)) members=$(($(ticks "${pids[0]}") - members))
  awk -v e="$1" -v m="$2" -v g="$gateway" -v s="$members" -v n="$CALLS" -v hz="$(getconf CLK_TCK)" '
    BEGIN {
      print e, m "-gateway-us", g * 1e6 / hz / n
      print e, m "-members-us", s * 1e6 / hz / n
    }' >>"$work/rows"
}

for engine in $ENGINES; do
  start "$engine"
  for round in $(seq "$ROUNDS"); do
    for mode in unary stream; do
      warn "$engine, round $round of $ROUNDS: $mode"
      run "$engine" "$mode"
    done
  done
  stop
done

python3 - "$work/rows" <<'P'
import statistics
import sys

figures = {}
for line in open(sys.argv[1]):
    engine, name, value = line.split()
    figures.setdefault((engine, name), []).append(float(value))
engines = list(dict.fromkeys(engine for engine, _ in figures))
median = {key: statistics.median(values) for key, values in figures.items()}
print(f"{'engine':10}{'mode':8}{'a second':>10}{'p50 us':>9}{'p99 us':>9}"
      f"{'gateway us':>12}{'members us':>12}{'x unary':>9}")
for engine in engines:
    for mode in ("unary", "stream"):
        rate = median[engine, f"{mode}-rate"]
        p50 = median.get((engine, f"{mode}-p50"))
        p99 = median.get((engine, f"{mode}-p99"))
        print(f"{engine:10}{mode:8}{rate:10.0f}"
              f"{'' if p50 is None else format(p50, '.0f'):>9}"
              f"{'' if p99 is None else format(p99, '.0f'):>9}"
              f"{median[engine, f'{mode}-gateway-us']:12.1f}"
              f"{median[engine, f'{mode}-members-us']:12.1f}"
              f"{rate / median[engine, 'unary-rate']:9.2f}")
P
