#!/usr/bin/env bash
# Every fault of what the services stand on, with the real executables under load:
#
#   crash     services and the database server are killed (SIGKILL) at random, on both engines
#   failover  the primary of a replicated PostgreSQL (Patroni, etcd) is killed, frozen, replaced
#   disk      it is full, writes and fsyncs fail, the process dies amid a page, on both engines
#   power     what a power cut leaves of a store, at many moments, on both engines
#   gateway   new configurations, rolling restarts of two replicas, and kills of replicas (for
#             idempotent calls), that no caller may feel
#
#   scripts/faults.sh [ROUNDS] [PART…]   100 rounds of each (an hour or two); failovers
#                                     and rolling restarts: a fifth; new configurations: ten times
#
# The last lines are the table: what was done, what was acknowledged, lost, doubled.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ROUNDS=${1:-100}
case $ROUNDS in '' | *[!0-9]*) die "ROUNDS is a number, not $ROUNDS" ;; esac
shift || true
[ $# -gt 0 ] || set -- crash failover disk power gateway
export YIJIA_CRASH_ROUNDS=$ROUNDS YIJIA_DISK_FAULTS=$((ROUNDS > 3 ? ROUNDS : 3))
export YIJIA_FAILOVERS=$((ROUNDS > 5 ? (ROUNDS + 4) / 5 : ROUNDS)) YIJIA_POWER_CUTS=$((ROUNDS * 2))
export YIJIA_RELOADS=$((ROUNDS * 10)) YIJIA_ROLLS=$YIJIA_FAILOVERS
export YIJIA_KILLS=$ROUNDS
export YIJIA_STRICT=${YIJIA_STRICT:-1}  # as make test has it: other flags would build all anew

"$ROOT/scripts/deps.sh" faults
cd "$ROOT"
polite swift build
YIJIA_FAULTS_REPORT=$(mktemp)
export YIJIA_FAULTS_REPORT
trap 'rm -f "$YIJIA_FAULTS_REPORT"' EXIT

tests=()
for part in "$@"; do
  case $part in
    crash) tests+=(Tests/Integration/test_crash.py Tests/Integration/test_lives.py) ;;
    failover | disk | power | gateway) tests+=("Tests/Faults/test_$part.py") ;;
    *) die "no part $part; there are: crash failover disk power gateway" ;;
  esac
done

status=0
for test in "${tests[@]}"; do
  # A round kills, restarts and counts: a minute each is far more than one takes.
  YIJIA_BIN=$ROOT/.build/debug SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 \
    polite "$VENV/bin/python" -m pytest "$test" -q -s -p no:cacheprovider \
    --timeout $((ROUNDS * 120 + 900)) || status=$?
done

say ""
printf '%-24s %8s %14s %6s %8s %16s\n' faults rounds acknowledged lost doubled 'longest outage'
while IFS=$'\t' read -r faults rounds acknowledged lost doubled outage; do
  printf '%-24s %8s %14s %6s %8s %14s s\n' \
    "$faults" "$rounds" "$acknowledged" "$lost" "$doubled" "$outage"
done <"$YIJIA_FAULTS_REPORT"
exit $status
