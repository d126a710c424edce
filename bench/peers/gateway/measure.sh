#!/usr/bin/env bash
# CPU cost and throughput of gRPC reverse proxies on loopback, plaintext h2c.
#
#   ./measure.sh [NAME ...]          default: envoy nginx nghttpx
#
# NAME resolves to ./run-NAME.sh, or to the command in RUN_NAME=...; either is
# started with LISTEN and BACKEND (loopback ports) in its environment and must stay
# in the foreground. "direct" (no proxy) is always measured too.
# Backend: nghttpd, one worker, answering a 5-byte-prefixed message with
# content-type application/grpc and a grpc-status: 0 trailer.
# Environment: ROUNDS=3 REQUESTS=20000 CLIENTS=4 STREAMS=32 BODY=64 (request and
# response payload bytes after the prefix) BASE_PORT=18400 OUT=results.tsv
# Of each request h2load notes the time (--log-file): p50 and p99 are of one round, medians of those count.
# HEADER='name: value' (one request header added for every target) TLS_NAMES (targets that speak TLS)
# Rounds are interleaved, so drift of a noisy machine falls on all targets alike.
# CPU is that of the proxy and all its descendants, every thread, from
# /proc/PID/task/*/schedstat (ns; /proc/PID/stat at 10 ms where that is missing); it is
# the figure to compare. Requests/s depends on what else the machine is doing.
set -uo pipefail
cd "$(dirname "$0")"
names=("$@"); [ ${#names[@]} -gt 0 ] || names=(envoy nginx nghttpx)
ROUNDS=${ROUNDS:-3} REQUESTS=${REQUESTS:-20000} CLIENTS=${CLIENTS:-4} STREAMS=${STREAMS:-32}
BODY=${BODY:-64} HEADER=${HEADER:-x-bench: 1} BASE_PORT=${BASE_PORT:-18400} OUT=${OUT:-../../../.build-peers/gateway/results.tsv}
METHOD=/bench.Echo/Say.grpc
work=$(mktemp -d) || exit 1
mkdir -p "$(dirname "$OUT")"
pids=()
cleanup() { for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; wait 2>/dev/null; rm -rf "$work"; }
trap cleanup EXIT
wait_port() { for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.1; done; echo "port $1 never opened" >&2; return 1; }

# One gRPC message: flag 0, four-byte big-endian length, BODY bytes.
mkdir -p "$work/docs/bench.Echo"
{ printf '\0'; printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((BODY >> 24 & 255)) $((BODY >> 16 & 255)) $((BODY >> 8 & 255)) $((BODY & 255)))"; head -c "$BODY" /dev/zero | tr '\0' x; } > "$work/body"
cp "$work/body" "$work/docs$METHOD"
echo "application/grpc grpc" > "$work/mime"

tree() { local p; echo "$1"; for p in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$p"; done; }
cpu_ns() { # CPU time of a process tree: schedstat (ns) where the kernel has it, else utime+stime
    local p sum=0 t line hz; local -a f; hz=$(getconf CLK_TCK)
    for p in $(tree "$1"); do
        if [ -r /proc/"$p"/schedstat ]; then
            for t in /proc/"$p"/task/*/schedstat; do read -ra f < "$t" 2>/dev/null && sum=$((sum + f[0])); done
        else
            line=$(cat /proc/"$p"/stat 2>/dev/null) || continue
            read -ra f <<< "${line##*) }"
            sum=$((sum + (f[11] + f[12]) * (1000000000 / hz)))
        fi
    done; echo "$sum"
}
peak_kib() { local p sum=0 v; for p in $(tree "$1"); do v=$(awk '/^VmHWM/{print $2}' /proc/"$p"/status 2>/dev/null); sum=$((sum + ${v:-0})); done; echo "$sum"; }

nghttpd --no-tls -a 127.0.0.1 -n1 -d "$work/docs" --mime-types-file="$work/mime" --trailer='grpc-status: 0' "$BASE_PORT" & back=$!; pids+=("$back")
wait_port "$BASE_PORT" || exit 1
targets=(direct); declare -A port=([direct]=$BASE_PORT) pid=([direct]=0)
n=$BASE_PORT
for name in "${names[@]}"; do
    n=$((n + 1)); var=RUN_$name; run=${!var:-./run-$name.sh}
    LISTEN=$n BACKEND=$BASE_PORT $run & pid[$name]=$!; pids+=("${pid[$name]}"); port[$name]=$n
    wait_port "$n" || exit 1
    targets+=("$name")
done

load() { # NAME COUNT -> h2load's report; each request's time in $work/times
    local scheme=http
    rm -f "$work/times"
    [[ " ${TLS_NAMES:-} " != *" $1 "* ]] || scheme=https
    timeout 120 h2load --log-file="$work/times" -n "$2" -c "$CLIENTS" -m "$STREAMS" -t 1 -d "$work/body" -H 'content-type: application/grpc' -H 'te: trailers' -H "$HEADER" \
        "$scheme://127.0.0.1:${port[$1]}$METHOD"
}
share_ms() { # SHARE: what that share of the requests took at most, in ms
    cut -f3 "$work/times" | sort -n | awk -v share="$1" '{ v[NR] = $1 } END { i = int(NR * share + 0.999999); if (i < 1) i = 1; printf "%.3f", v[i] / 1000 }'
}
for t in "${targets[@]}"; do load "$t" $((REQUESTS / 10 < 256 ? 256 : REQUESTS / 10)) > /dev/null; done

printf 'target\tround\tok\treq_per_s\tmean_ms\tproxy_cpu_s_per_10k\tbackend_cpu_s_per_10k\tproxy_peak_mib\tp50_ms\tp99_ms\n' | tee "$OUT"
for round in $(seq "$ROUNDS"); do
    for t in "${targets[@]}"; do
        p=${pid[$t]}; a=0; b=0
        [ "$p" != 0 ] && a=$(cpu_ns "$p"); ba=$(cpu_ns "$back")
        report=$(load "$t" "$REQUESTS")
        [ "$p" != 0 ] && b=$(cpu_ns "$p"); bb=$(cpu_ns "$back")
        ok=$(sed -n 's/^status codes: \([0-9]*\) 2xx.*/\1/p' <<< "$report")
        # every response must have carried the whole message
        bytes=$(sed -n 's/^traffic:.* (\([0-9]*\)) data$/\1/p' <<< "$report")
        [ "$bytes" = $((REQUESTS * (BODY + 5))) ] || ok="$ok,BAD_BYTES=$bytes"
        rps=$(sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p' <<< "$report")
        mean=$(awk '/^time for request:/{v=$6; if (v ~ /us$/) m=v/1000; else if (v ~ /ms$/) m=v+0; else m=v*1000; printf "%.2f", m}' <<< "$report")
        rss=0; [ "$p" != 0 ] && rss=$(peak_kib "$p")
        awk -v t="$t" -v r="$round" -v ok="$ok" -v rps="$rps" -v mean="$mean" -v d=$((b - a)) -v bd=$((bb - ba)) -v n="$REQUESTS" -v rss="$rss" -v p50="$(share_ms 0.5)" -v p99="$(share_ms 0.99)" \
            'BEGIN { printf "%s\t%d\t%s\t%.0f\t%s\t%.3f\t%.3f\t%.1f\t%s\t%s\n", t, r, ok, rps, mean, d / 1e9 / n * 10000, bd / 1e9 / n * 10000, rss / 1024, p50, p99 }' | tee -a "$OUT"
    done
done
echo
echo "medians of $ROUNDS rounds ($REQUESTS requests, $CLIENTS connections x $STREAMS streams, $BODY-byte payload):"
printf '| target | req/s | mean ms | p50 ms | p99 ms | proxy CPU s/10k | backend CPU s/10k | peak MiB | lowest proxy CPU s/10k |\n|---|---|---|---|---|---|---|---|---|\n'
for t in "${targets[@]}"; do
    row="| $t"
    for col in 4 5 9 10 6 7 8; do
        row="$row | $(awk -F'\t' -v t="$t" -v c=$col '$1 == t {print $c}' "$OUT" | sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}')"
    done
    echo "$row | $(awk -F'\t' -v t="$t" '$1 == t {print $6}' "$OUT" | sort -g | head -1) |"
done
