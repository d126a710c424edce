#!/usr/bin/env bash
# Attacks the release build of rpc-interop-server beside a client that behaves: bench/hostile_run.py
# says what the columns are. The mark: that client's p99 at most doubles.
#
#   bench/hostile.sh                            every attack
#   SECONDS_EACH=10 bench/hostile.sh ping_flood rapid_reset
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

"$ROOT/scripts/deps.sh"
if [ -z "${YIJIA_BIN:-}" ]; then
  polite swift build -c release --product rpc-interop-server
  export YIJIA_BIN=$ROOT/.build/release
fi
SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 \
  exec "$VENV/bin/python" bench/hostile_run.py --seconds "${SECONDS_EACH:-5}" \
  --attackers "${ATTACKERS:-1}" "$@"
