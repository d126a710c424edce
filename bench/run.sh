#!/usr/bin/env bash
# CPU microseconds a call of rpc-bench-server beside the peers, in one run: same machine, same
# client, same bytes, rounds interleaved so that drift falls on all alike.
#
#   bench/run.sh                              the C limit, grpc-go and ours
#   PEERS="c go cpp swift" bench/run.sh       also grpc C++ and grpc-swift-2 (slow to build)
#   N=10000 ROUNDS=1 bench/run.sh             short
#
# N calls a run (100000; c1m1 makes half), ROUNDS (3; the median counts), PROFILES
# ("c1m1 c4m32 c100m10": connections × streams), PORT (50061), OURS="command {port}" for another
# server. The server has CPU 0, the client (h2load) CPU 1. bench/peers/rpc/README.md says what each
# peer is and what to compare.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

PEERS=${PEERS:-c go} ROUNDS=${ROUNDS:-3} N=${N:-100000} PORT=${PORT:-50061}
PROFILES=${PROFILES:-c1m1 c4m32 c100m10}
OURS=${OURS:-$ROOT/.build/release/rpc-bench-server --port {port\} --threads 1}
PEERS_FOLDER=$ROOT/bench/peers/rpc
BUILT=$ROOT/.build-peers
export PORT N PYTHON=$VENV/bin/python

# What is started for a peer, and what its answers are checked for (limit serves Unary only).
command_of() {
  case $1 in
    c) say "$BUILT/c/limit {port}" ;;
    go) say "$BUILT/go/server {port}" ;;
    cpp) say "$BUILT/cpp/server {port} callback" ;;
    swift) say "$BUILT/swift-pkg/.build/release/BenchServer {port} 1" ;;
    yijia) say "$OURS" ;;
    *) die "no peer $1; there are: c go cpp swift" ;;
  esac
}
check_of() { if [ "$1" = c ]; then say unary-only; else say all; fi; }

build_peer() {
  local binary
  binary=$(command_of "$1")
  binary=${binary%% *}
  case $1 in
    cpp)
      pkg-config --exists grpc++ && command -v grpc_cpp_plugin >/dev/null ||
        die "grpc C++ needs: apt-get install libgrpc++-dev protobuf-compiler-grpc"
      ;;
    yijia)
      # A server of the caller's own choice is not ours to build.
      [ "$binary" = "$ROOT/.build/release/rpc-bench-server" ] || return 0
      polite swift build -c release --product rpc-bench-server
      return
      ;;
  esac
  # Each peer's sources are all in its folder and the contract.
  if [ -x "$binary" ] &&
    [ -z "$(find "$PEERS_FOLDER/$1" "$PEERS_FOLDER/proto" -type f -newer "$binary" -print -quit)" ]
  then
    return
  fi
  say "building peer $1"
  polite "$PEERS_FOLDER/$1/build.sh"
}

# One line a profile: ROUND,PEER,PROFILE,CPU_US,…  The first round checks the answers too.
measure() { # ROUND PEER
  local check=none words
  [ "$1" -ne 1 ] || check=$(check_of "$2")
  read -ra words <<<"$(command_of "$2")"
  CHECK=$check CSV=1 REPEATS=1 PROFILES=$PROFILES "$PEERS_FOLDER/measure.sh" "${words[@]}" \
    >"$work/out" || { cat "$work/out" >&2; die "peer $2 did not measure"; }
  grep -E '^[a-z0-9]+(,[0-9.]+)+$' "$work/out" | sed "s/^/$1,$2,/" >>"$work/rows"
}

table() {
  local ours=${OURS%% *}
  awk -F, -v peers="$PEERS yijia" -v profiles="$PROFILES" -v ours="${ours##*/}" '
    function median(list,   v, n, i, j, t) {
      n = split(list, v, " ")
      for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++)
        if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
      return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    function ratio(a, b) { return b > 0 ? sprintf("%.2f", a / b) : "-" }
    { cpu[$2, $3] = cpu[$2, $3] " " $4; rate[$2, $3] = rate[$2, $3] " " $7 }
    END {
      title["c"] = "limit (C)"; title["go"] = "grpc-go"; title["cpp"] = "grpc C++"
      title["swift"] = "grpc-swift-2"; title["yijia"] = ours
      np = split(peers, peer, " "); nf = split(profiles, profile, " ")
      printf "%-9s %-17s %12s %10s %12s %10s\n", \
        "profile", "server", "CPU us/call", "/ limit", "/ grpc-go", "calls/s"
      for (f = 1; f <= nf; f++) for (p = 1; p <= np; p++) {
        us = median(cpu[peer[p], profile[f]])
        printf "%-9s %-17s %12.2f %10s %12s %10.0f\n", profile[f], title[peer[p]], us, \
          ratio(us, median(cpu["c", profile[f]])), ratio(us, median(cpu["go", profile[f]])), \
          median(rate[peer[p], profile[f]])
      }
    }' "$work/rows"
}

scripts/deps.sh bench
[ "$(nproc)" -ge 2 ] || die "two CPUs are needed: one for the server, one for the client"
for peer in $PEERS yijia; do build_peer "$peer"; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/rows"
for round in $(seq "$ROUNDS"); do
  for peer in $PEERS yijia; do
    say "round $round of $ROUNDS: $peer"
    measure "$round" "$peer"
  done
done
say ""
say "$N calls a run (c1m1: half), median of $ROUNDS; $(nproc) CPUs," \
  "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
table
say "calls/s moves with the client and the machine's other load; compare CPU a call and its ratios."
