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
