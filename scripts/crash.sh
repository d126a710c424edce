#!/usr/bin/env bash
# The crash test: partners enroll and a kiosk reports while the services, and the database server,
# are killed at random moments; staff transfer, dispatch, merge, erase, form and dissolve meanwhile
# (test_lives). Nothing acknowledged is lost, nothing counts twice, the audit chain verifies.
#
#   scripts/crash.sh [ROUNDS]                        25 when not given; `make test` runs a few
#   YIJIA_CRASH_ENGINES=postgres scripts/crash.sh    one engine; both when not given
set -euo pipefail
. "$(dirname "$0")/lib.sh"

export YIJIA_CRASH_ROUNDS=${1:-25}
export YIJIA_STRICT=${YIJIA_STRICT:-1}  # as make test has it: other flags would build all anew
case $YIJIA_CRASH_ROUNDS in '' | *[!0-9]*) die "ROUNDS is a number, not $YIJIA_CRASH_ROUNDS" ;; esac

"$ROOT/scripts/deps.sh"
cd "$ROOT"
polite swift build
# A round kills, restarts and counts: a minute each is far more than one takes.
YIJIA_BIN=$ROOT/.build/debug SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 \
  polite "$VENV/bin/python" -m pytest \
  Tests/Integration/test_crash.py Tests/Integration/test_lives.py \
  -q -s -p no:cacheprovider --timeout $((YIJIA_CRASH_ROUNDS * 120 + 300))
