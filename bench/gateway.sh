#!/usr/bin/env bash
# What the gateway costs a call beside Envoy: bench/gateway-under-test, Envoy bare and Envoy with
# the same duties, in one run, by the drivers of bench/peers/gateway.
#
#   bench/gateway.sh                      the four shapes
#   SHAPES="4x32" ROUNDS=5 bench/gateway.sh
#
# SHAPES: 4x32 and 128x1 (connections × streams, 64 bytes), 16k (4 × 32 of 16 KiB), 1x1 (one call
# at a time). REQUESTS a round and shape (20000), ROUNDS (3; medians count). "tls", in 4x32, is ours
# with TLS before it.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"

SHAPES=${SHAPES:-4x32 128x1 16k 1x1} REQUESTS=${REQUESTS:-20000}
export ROUNDS=${ROUNDS:-3} ENVOY=${ENVOY:-$VENV/bin/envoy} RUN_ours=$ROOT/bench/gateway-under-test
export RUN_tls="env TLS=1 $RUN_ours" TLS_NAMES=tls
export HEADER='x-api-key: bench-partner-key'
export RELEASE=${RELEASE:-$ROOT/.build/release}
for program in nghttpd h2load; do
  command -v "$program" >/dev/null ||
    die "needs $program: apt-get install nghttp2-server nghttp2-client"
done
cd "$ROOT"
[ "$RELEASE" != "$ROOT/.build/release" ] ||
  build_release yijia-gateway

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shape() { # NAME CONNECTIONS STREAMS BYTES REQUESTS [TARGET...]
  say "=== $1"
  CLIENTS=$2 STREAMS=$3 BODY=$4 REQUESTS=$5 OUT=$work/$1.tsv \
    bench/peers/gateway/measure.sh envoy envoyfull ours "${@:6}" | sed -n '/^medians/,$p'
}
for name in $SHAPES; do
  case $name in
    4x32) shape "$name" 4 32 64 "$REQUESTS" tls ;;
    128x1) shape "$name" 128 1 64 $((REQUESTS / 2)) ;;
    16k) shape "$name" 4 32 16384 $((REQUESTS / 5)) ;;
    1x1) shape "$name" 1 1 64 $((REQUESTS / 5)) ;;
    *) die "no shape $name; there are: 4x32 128x1 16k 1x1" ;;
  esac
done
