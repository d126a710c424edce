#!/usr/bin/env bash
# What a call costs: rpc-bench-server beside its peers, in one run: same machine, same client, same
# bytes, rounds interleaved so that drift falls on all alike.
#
#   bench/run.sh                              the C limit, grpc-go, grpc C++ and ours
#   PEERS="c go cpp swift" bench/run.sh       also grpc-swift-2 (slow to build)
#   N=10000 ROUNDS=1 PARTS=calls bench/run.sh short
#
# PARTS ("calls tls client memory allocations gateway"): CPU and latency; the same with TLS; our
# client against our server; memory of idle connections; heap allocations of the server; what `make
# bench-gateway` measures, with its own settings. N calls a run
# (100000; c1m1 half, streams N/50 of 100 messages), ROUNDS (3; the median counts), PROFILES
# ("c1m1 c4m32 c100m10 sstream bidi": connections × streams, and 100 messages a call), IDLE
# connections (10000), PORT (50061). The server has CPU 0, the client CPU 1.
# bench/peers/rpc/README.md says what each peer is and what to compare.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

PEERS=${PEERS:-c go cpp} ROUNDS=${ROUNDS:-3} N=${N:-100000} PORT=${PORT:-50061} IDLE=${IDLE:-10000}
PROFILES=${PROFILES:-c1m1 c4m32 c100m10 sstream bidi}
PARTS=${PARTS:-calls tls client memory allocations gateway}
RELEASE=${RELEASE:-$ROOT/.build/release}
OURS="$RELEASE/rpc-bench-server --port {port} --threads 1"
PEERS_FOLDER=$ROOT/bench/peers/rpc
BUILT=$ROOT/.build-peers
export PORT N PYTHON=$VENV/bin/python BODIES=$BUILT/bodies

# What is started for a peer, in plaintext or with TLS.
command_of() { # PEER [tls]
  case $1 in
    c) say "$BUILT/c/limit {port}" ;;
    go) say "$BUILT/go/server {port}${2:+ $work/cert.pem $work/key.pem}" ;;
    cpp) say "$BUILT/cpp/server {port} callback${2:+ 1 $work/cert.pem $work/key.pem}" ;;
    swift) say "$BUILT/swift-pkg/.build/release/BenchServer {port} 1" ;;
    yijia) say "$OURS${2:+ --tls-cert $work/cert.pem --tls-key $work/key.pem}" ;;
    *) die "no peer $1; there are: c go cpp swift" ;;
  esac
}
wants() { [[ " $PARTS " == *" $1 "* ]]; }

build_peer() {
  local binary
  binary=$(command_of "$1")
  binary=${binary%% *}
  case $1 in
    yijia)
      # A build of the caller's own choice is not ours to make.
      [ "$RELEASE" = "$ROOT/.build/release" ] || return 0
      build_release rpc-bench-server rpc-bench-client
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

# One line a profile: PEER,PROFILE,CPU_US,…  The first round checks the answers too; the limit
# serves Unary only.
measure() { # PEER PROFILES CHECK SCHEME
  local words profiles=$2 check=$3 tls=
  [ "$4" = http ] || tls=tls
  if [ "$1" = c ]; then
    profiles=$(tr ' ' '\n' <<<"$2" | grep '^c[0-9]' | tr '\n' ' ')
    [ "$check" != all ] || check=unary-only
  fi
  read -ra words <<<"$(command_of "$1" $tls)"
  CHECK=$check SCHEME=$4 CSV=1 REPEATS=1 PROFILES=$profiles \
    "$PEERS_FOLDER/measure.sh" "${words[@]}" >"$work/out" 2>"$work/err" ||
    { cat "$work/out" "$work/err" >&2; die "peer $1 did not measure"; }
  grep -E '^[a-z0-9]+(,[0-9.]+)+$' "$work/out" | sed "s/^/$1,/" >>"$work/rows"
}

table() { # PEERS PROFILES
  awk -F, -v peers="$1" -v profiles="$2" '
    function median(list,   v, n, i, j, t) {
      n = split(list, v, " ")
      for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++)
        if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
      return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    function ratio(a, b) { return b > 0 ? sprintf("%.2f", a / b) : "-" }
    { per = $2 ~ /^c/ ? 1 : 100
      cpu[$1, $2] = cpu[$1, $2] " " $3 / per; rate[$1, $2] = rate[$1, $2] " " $6 * per
      p50[$1, $2] = p50[$1, $2] " " $8 }
    END {
      title["c"] = "limit (C)"; title["go"] = "grpc-go"; title["cpp"] = "grpc C++"
      title["swift"] = "grpc-swift-2"; title["yijia"] = "yijia"
      np = split(peers, peer, " "); nf = split(profiles, profile, " ")
      printf "%-9s %-14s %10s %10s %10s %10s %8s %10s\n", "profile", "server", "CPU us", \
        "ours: x", "/ limit", "per s", "p50 us", "p50/limit"
      for (f = 1; f <= nf; f++) for (p = 1; p <= np; p++) {
        name = profile[f]
        if (!((peer[p], name) in cpu)) continue
        us = median(cpu[peer[p], name]); half = median(p50[peer[p], name])
        printf "%-9s %-14s %10.2f %10s %10s %10.0f %8.0f %10s\n", name, title[peer[p]], us, \
          ratio(median(cpu["yijia", name]), us), ratio(us, median(cpu["c", name])), \
          median(rate[peer[p], name]), half, ratio(half, median(p50["c", name]))
      }
    }' "$work/rows"
}

calls() { # PEERS PROFILES CHECK SCHEME
  local round peer order=$1
  : >"$work/rows"
  for round in $(seq "$ROUNDS"); do
    # Another begins each round: a machine that has worked hard may be slower for a while.
    [ "$round" -eq 1 ] || order="${order#* } ${order%% *}"
    for peer in $order; do
      say "round $round of $ROUNDS, $4: $peer" >&2
      if [ "$round" -eq 1 ]; then measure "$peer" "$2" "$3" "$4"; else
        measure "$peer" "$2" none "$4"
      fi
    done
  done
  table "$1" "$2"
}

# Starts our server; its process is $server.
serve() { # [ENVIRONMENT=…] COMMAND…
  env "$@" >"$work/log" 2>"$work/errors" &
  server=$!
  for _ in $(seq 100); do
    grep -qs listening "$work/log" && return
    sleep 0.1
  done
  die "our server did not start"
}
unserve() { kill "$server" && { wait "$server" || :; } 2>/dev/null; server=; }

client() {
  local words line
  read -ra words <<<"$(command_of yijia | sed "s/{port}/$PORT/")"
  : >"$work/clients"
  for _ in $(seq "$ROUNDS"); do
    serve taskset -c 0 "${words[@]}"
    line=$(taskset -c 1 "$RELEASE/rpc-bench-client" --port "$PORT" --server "$server" \
      --body "$BODIES/unary.req" --calls "$N")
    unserve
    say "$line" >>"$work/clients"
  done
  sed 's/[a-z_]*=//g' "$work/clients" | awk '{print $1 / $2, $1, $2}' | sort -n | awk '
    {r[NR] = $0} END {split(r[int((NR + 1) / 2)], f, " ")
      printf "our client: %.2f us a call (4 x 32), our server %.2f: ratio %.2f\n",
        f[2], f[3], f[1]}'
}

memory() { # [tls]
  local words kilobytes
  read -ra words <<<"$(command_of yijia "$@" | sed "s/{port}/$PORT/")"
  serve "${words[@]}"
  kilobytes=$("$PYTHON" bench/memory.py "$PORT" "$server" "$IDLE" "$BODIES/unary.req" ${1:+--tls})
  unserve
  say "memory an idle connection of $IDLE${1:+, TLS}: $kilobytes KB"
}

allocations() {
  local words load
  cc -O2 -shared -fPIC -o "$work/allocations.so" bench/allocations.c
  read -ra words <<<"$(command_of yijia | sed "s/{port}/$PORT/")"
  serve LD_PRELOAD="$work/allocations.so" "${words[@]}"
  load=(h2load -n 20000 -c 4 -m 32 -d "$BODIES/unary.req" -H 'content-type: application/grpc'
    -H 'te: trailers' "http://127.0.0.1:$PORT/bench.v1.Bench/Unary")
  for _ in 1 2; do
    "${load[@]}" >/dev/null
    kill -USR1 "$server"
    sleep 0.5
  done
  unserve
  awk '/^allocations/ {a[++n] = $2} END {
    printf "heap allocations a unary call in the server: %.2f\n", (a[2] - a[1]) / 20000}' \
    "$work/errors"
}

scripts/deps.sh bench
[ "$(nproc)" -ge 2 ] || die "two CPUs are needed: one for the server, one for the client"
ulimit -n "$(ulimit -Hn)"
server=
work=$(mktemp -d)
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
  -keyout "$work/key.pem" -out "$work/cert.pem" -subj /CN=localhost 2>/dev/null
for peer in $PEERS yijia; do build_peer "$peer"; done
[ -e "$BODIES/unary.req" ] || "$PYTHON" "$PEERS_FOLDER/check.py" --bodies "$BODIES" >&2
say "$(date -u +%F), $(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
  "load $(cut -d' ' -f1 /proc/loadavg); median of $ROUNDS runs of $N calls"
if wants calls; then
  say "CPU of the server a call (sstream, bidi: a message)"
  calls "$PEERS yijia" "$PROFILES" all http
fi
if wants tls; then
  say "with TLS"
  calls "$(tr ' ' '\n' <<<"$PEERS" | grep -E '^(go|cpp)$' | tr '\n' ' ')yijia" c4m32 none https
fi
if wants client; then client; fi
if wants memory; then
  memory
  memory tls
fi
if wants allocations; then allocations; fi
say "per s moves with the client and the machine's other load; compare CPU and its ratios."
if wants gateway; then
  for part in gateway gateway-streams gateway-json; do env -u PORT "bench/$part.sh"; done
fi
