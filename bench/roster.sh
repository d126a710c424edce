#!/usr/bin/env bash
# A roster of a million rows against a million members, through the gateway: rows a second, what the
# members service holds in memory at most; and the coverage of the whole tree. Release build. How
# far it is goes to standard error.
#
#   bench/roster.sh                             both engines
#   ENGINES=sqlite MEMBERS=100000 bench/roster.sh
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

ENGINES=${ENGINES:-sqlite postgres} MEMBERS=${MEMBERS:-1000000}
. bench/suite.sh

# A figure of a process, in MB.
memory() { awk -v name="$2:" '$1 == name { print int($2 / 1024) }' "/proc/$1/status"; }

format='%-10s%10s%12s%14s%16s%18s\n'
# shellcheck disable=SC2059  # the format is ours
printf "$format" engine members rows/s 'memory, MB' 'at rest, MB' 'coverage p50, us'
for engine in $ENGINES; do
  prepare "$engine"
  "$RELEASE/members-data" make --config "$work/$engine/members.yaml" --members "$MEMBERS"
  start "$engine"
  rest=$(memory "${pids[0]}" VmRSS)
  "$RELEASE/members-data" roster --connection "$work/$engine/connection.json" \
    --members "$MEMBERS" >"$work/figures"
  rate=$(awk '$1 == "roster-rate" { print $2 }' "$work/figures")
  coverage=$(awk '$1 == "coverage-p50" { print $2 }' "$work/figures")
  printf "$format" "$engine" "$MEMBERS" "$rate" \
    "$(memory "${pids[0]}" VmHWM)" "$rest" "$coverage"
  stop
done
