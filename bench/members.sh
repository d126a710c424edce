#!/usr/bin/env bash
# Enrollments through the gateway, with every check, durable before the answer: a second, by the
# clock; and what one costs, by process. Gateway, members and the load run from the release build.
#
#   bench/members.sh                      both engines
#   ENGINES=sqlite CALLS=5000 bench/members.sh
#
# CALLERS (64) share CONNECTIONS (4). "unary" is SubmitEnrollment; "stream" is EnrollMembers, one
# stream a connection, as fast as it takes records. CALLS (20000) a run, ROUNDS (3): medians.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

ENGINES=${ENGINES:-sqlite postgres} CALLS=${CALLS:-20000} ROUNDS=${ROUNDS:-3}
CALLERS=${CALLERS:-64} CONNECTIONS=${CONNECTIONS:-4}
. bench/suite.sh

first=0
# Clock ticks that PostgreSQL's processes have used; 0 without one.
server_ticks() {
  local postmaster pid sum=0
  if [ -n "$server" ]; then
    postmaster=$(head -n 1 "$server/data/postmaster.pid")
    for pid in $postmaster $(pgrep -P "$postmaster"); do
      sum=$((sum + $(ticks "$pid" 2>/dev/null || echo 0)))
    done
  fi
  echo "$sum"
}

# Of every process, in the order of PROCESSES.
PROCESSES=(members stations gateway server)
all_ticks() {
  local pid
  for pid in "${pids[@]}"; do ticks "$pid"; done | tr '\n' ' '
  server_ticks
}

run() { # ENGINE MODE
  local before after index
  read -ra before <<<"$(all_ticks)"
  "$RELEASE/members-data" load --connection "$work/$1/connection.json" --calls "$CALLS" \
    --callers "$CALLERS" --connections "$CONNECTIONS" --first "$first" --mode "$2" |
    sed "s/^/$1 /" >>"$work/rows"
  first=$((first + CALLS))
  read -ra after <<<"$(all_ticks)"
  for index in "${!PROCESSES[@]}"; do
    awk -v t="$((after[index] - before[index]))" -v n="$CALLS" -v hz="$(getconf CLK_TCK)" \
      -v name="$1 $2-${PROCESSES[index]}-us" 'BEGIN { print name, t * 1e6 / hz / n }' >>"$work/rows"
  done
}

for engine in $ENGINES; do
  prepare "$engine"
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
processes = ("gateway", "members", "stations", "server")
print(f"{'engine':10}{'mode':8}{'a second':>10}{'p50 us':>9}{'p99 us':>9}"
      + "".join(f"{name + ' us':>13}" for name in processes) + f"{'x unary':>9}")
for engine in engines:
    for mode in ("unary", "stream"):
        rate = median[engine, f"{mode}-rate"]
        p50 = median.get((engine, f"{mode}-p50"))
        p99 = median.get((engine, f"{mode}-p99"))
        print(f"{engine:10}{mode:8}{rate:10.0f}"
              f"{'' if p50 is None else format(p50, '.0f'):>9}"
              f"{'' if p99 is None else format(p99, '.0f'):>9}"
              + "".join(f"{median[engine, f'{mode}-{name}-us']:13.1f}" for name in processes) +
              f"{rate / median[engine, 'unary-rate']:9.2f}")
P
