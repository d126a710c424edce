#!/usr/bin/env bash
# What an idle stream through the gateway costs, of many, each on a connection of its own as a
# kiosk's is: kilobytes of resident memory, of the gateway and of the service behind it together.
#
#   bench/gateway-streams.sh
#   STREAMS=1000 bench/gateway-streams.sh
#
# The service is rpc-bench-server, on the same runtime as the suite's. RELEASE is the folder of the
# executables. Plaintext, and then with TLS before the gateway. STREAMS (10000) is half of the
# connections that the gateway takes unless `connections_max` says otherwise.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

STREAMS=${STREAMS:-10000} PORT=${PORT:-18500}
export RELEASE=${RELEASE:-$ROOT/.build/release} LISTEN=$((PORT + 1)) BACKEND=$PORT
if [ "$RELEASE" = "$ROOT/.build/release" ]; then
  build_release yijia-gateway rpc-bench-server
fi
# Both ends of each stream, and the gateway has two.
ulimit -n "$(ulimit -Hn)"

work=$(mktemp -d)
printf '\0\0\0\0\0' >"$work/body" # an empty message behind its prefix
processes=()
stop() {
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  wait
  processes=()
}
trap 'stop; rm -rf "$work"' EXIT
answers() { # PORT
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1 # a process needs its time to begin to listen
  done
  die "nothing listens on port $1"
}

for tls in "" 1; do
  "$RELEASE/rpc-bench-server" --port "$BACKEND" --inner >&2 &
  server=$!
  TLS=$tls bench/gateway-under-test >&2 &
  gateway=$!
  processes=("$server" "$gateway")
  answers "$BACKEND"
  answers "$LISTEN"
  kilobytes=$("$VENV/bin/python" bench/memory.py "$LISTEN" "$gateway,$server" "$STREAMS" \
    "$work/body" ${tls:+--tls} --streams bench-partner-key)
  say "${tls:+TLS: }$kilobytes KB a stream of $STREAMS, gateway and service together"
  stop
done
