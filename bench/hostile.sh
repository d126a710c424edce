#!/usr/bin/env bash
# Attacks the release build of rpc-interop-server, or of the gateway, beside a client that behaves:
# bench/hostile_run.py says what the columns are. The mark: that client's p99 at most doubles.
#
#   bench/hostile.sh                            every attack
#   TARGET=gateway bench/hostile.sh             those and ones on JSON, on the gateway's TLS port
#   SECONDS_EACH=10 bench/hostile.sh ping_flood rapid_reset
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

TARGET=${TARGET:-runtime}
"$ROOT/scripts/deps.sh"
if [ -z "${YIJIA_BIN:-}" ]; then
  build_release rpc-interop-server
  [ "$TARGET" != gateway ] || build_release yijia-gateway
  export YIJIA_BIN=$ROOT/.build/release
fi
SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 \
  exec "$VENV/bin/python" bench/hostile_run.py --target "$TARGET" \
  --seconds "${SECONDS_EACH:-5}" --attackers "${ATTACKERS:-1}" "$@"
