#!/bin/bash
# measure.sh SERVER_CMD...
#
# Starts one server on CPU 0, drives it with h2load on CPU 1 and prints a line a
# profile: medians over REPEATS runs, after a warm-up.  The word {port} in
# SERVER_CMD becomes the port.  The server must be the process that is started
# (no wrapper script that forks).
#
#   cpu_us    CPU microseconds a request over all threads, from schedstat (ns);
#             exact to well under 1 % where utime+stime counts in 10 ms ticks
#   stat_us   the same from utime+stime of /proc/PID/stat, as a check
#   user%     utime / (utime+stime), all repeats together
#   req/s     as h2load says; the latencies are h2load's own log, microseconds
#   rss_mb    VmHWM, the peak so far of this process
#
# Environment: PORT (50061), REPEATS (3), PROFILES ("c1m1 c4m32 c100m10"; also
# sstream, bidi: 100 messages a call, figures are per CALL), N (requests a run,
# 100000; c1m1 takes N/2, streams N/50), CHECK (all | unary-only | none),
# BODIES (.build-peers/bodies), PYTHON (.venv/bin/python), CSV=1, SCHEME (http | https;
# with https only CHECK=none).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PORT=${PORT:-50061} REPEATS=${REPEATS:-3} N=${N:-100000} CHECK=${CHECK:-all}
PROFILES=${PROFILES:-c1m1 c4m32 c100m10} SCHEME=${SCHEME:-http}
top=$here/../../..
BODIES=${BODIES:-$top/.build-peers/bodies} PYTHON=${PYTHON:-$top/.venv/bin/python}
SERVER_CPU=${SERVER_CPU:-0} CLIENT_CPU=${CLIENT_CPU:-1}
[ $# -ge 1 ] || { sed -n 2,5p "$0" >&2; exit 2; }
[ -e "$BODIES/unary.req" ] || "$PYTHON" "$here/check.py" --bodies "$BODIES" >&2

tmp=$(mktemp -d)
pid=
finish() {
  [ -z "$pid" ] || { kill "$pid" 2>/dev/null || :; wait "$pid" 2>/dev/null || :; }
  rm -rf "$tmp"
}
trap finish EXIT

taskset -c "$SERVER_CPU" "${@//\{port\}/$PORT}" >"$tmp/server.log" 2>&1 &
pid=$!
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break
  kill -0 "$pid" 2>/dev/null || { cat "$tmp/server.log" >&2; exit 1; }
  sleep 0.1
done
case $CHECK in
  none) ;;
  all) "$PYTHON" "$here/check.py" "$PORT" ;;
  *) "$PYTHON" "$here/check.py" "$PORT" "$CHECK" ;;
esac

ns() { cat /proc/"$pid"/task/*/schedstat | awk '{s += $1} END {printf "%.0f\n", s}'; }
ticks() { sed 's/.*) //' /proc/"$pid"/stat | awk '{print $12, $13}'; }
hz=$(getconf CLK_TCK)

# load NAME N C M BODY METHOD LOG: one h2load run
load() {
  rm -f "$6"
  taskset -c "$CLIENT_CPU" h2load -n "$1" -c "$2" -m "$3" -d "$BODIES/$4" --log-file="$6" \
    -H 'content-type: application/grpc' -H 'te: trailers' \
    "$SCHEME://127.0.0.1:$PORT/bench.v1.Bench/$5" >"$tmp/h2load.out"
  grep -q "^requests: $1 total.* $1 succeeded, 0 failed" "$tmp/h2load.out" || {
    echo "h2load: not every request succeeded" >&2; tail -9 "$tmp/h2load.out" >&2; exit 1; }
}

[ "${CSV:-}" ] || printf '%-9s %8s %8s %6s %9s %9s %8s %8s %8s %8s\n' \
  profile cpu_us stat_us user% req/s mean_us p50 p90 p99 rss_mb
for p in $PROFILES; do
  case $p in
    c1m1)    n=$((N / 2))  c=1   m=1  body=unary.req   method=Unary        per=1   ;;
    c4m32)   n=$N          c=4   m=32 body=unary.req   method=Unary        per=1   ;;
    c100m10) n=$N          c=100 m=10 body=unary.req   method=Unary        per=1   ;;
    sstream) n=$((N / 50)) c=4   m=8  body=sstream.req method=ServerStream per=100 ;;
    bidi)    n=$((N / 50)) c=4   m=8  body=bidi.req    method=Bidi         per=100 ;;
    *) echo "no profile $p" >&2; exit 2 ;;
  esac
  load $((n / 10)) $c $m $body $method "$tmp/log"
  : >"$tmp/rows"
  for _ in $(seq "$REPEATS"); do
    read -r u0 s0 < <(ticks); a=$(ns)
    load $n $c $m $body $method "$tmp/log"
    b=$(ns); read -r u1 s1 < <(ticks)
    # each request must have brought the whole message: 282 bytes of DATA
    data=$(sed -n 's/^traffic:.*headers (.*), [^ ]* (\([0-9]*\)) data$/\1/p' "$tmp/h2load.out")
    [ "$data" = $((n * per * 282)) ] || { echo "data: $data bytes, not $((n * per * 282))" >&2; exit 1; }
    rps=$(sed -n 's|^finished in [^,]*, \([0-9.]*\) req/s.*|\1|p' "$tmp/h2load.out")
    lat=$(cut -f3 "$tmp/log" | sort -n | awk '{v[NR] = $1; s += $1}
      function q(f) {i = int(NR * f + 0.999999); return v[i < 1 ? 1 : i]}
      END {print s / NR, q(.5), q(.9), q(.99)}')
    echo "$(( b - a )) $(( u1 - u0 )) $(( s1 - s0 )) $rps $lat" >>"$tmp/rows"
  done
  rss=$(awk '/VmHWM/ {print $2 / 1024}' /proc/"$pid"/status)
  awk -v n=$n -v hz="$hz" -v p="$p" -v rss="$rss" -v csv="${CSV:-}" '
    function med(a,   i, j, t, k) {k = NR
      for (i = 1; i <= k; i++) for (j = i + 1; j <= k; j++) if (a[j] < a[i]) {t = a[i]; a[i] = a[j]; a[j] = t}
      return k % 2 ? a[(k + 1) / 2] : (a[k / 2] + a[k / 2 + 1]) / 2}
    {cpu[NR] = $1 / 1e3 / n; st[NR] = ($2 + $3) * 1e6 / hz / n; u += $2; t += $2 + $3
     r[NR] = $4; m[NR] = $5; a[NR] = $6; b[NR] = $7; c[NR] = $8}
    END {printf(csv ? "%s,%.2f,%.2f,%.0f,%.0f,%.1f,%.0f,%.0f,%.0f,%.1f\n" : \
      "%-9s %8.2f %8.2f %6.0f %9.0f %9.1f %8.0f %8.0f %8.0f %8.1f\n",
      p, med(cpu), med(st), t ? 100 * u / t : 0, med(r), med(m), med(a), med(b), med(c), rss)}' "$tmp/rows"
done
