#!/usr/bin/env bash
# The storage layer beside bare C programs of the same work, in one run: durable one-row writes a
# second with 256 writers (bare: one thread that commits in groups), the median of a lone write, and
# reads by key. Rounds are interleaved; medians count.
#
#   bench/storage.sh                   both engines; PostgreSQL is started for it
#   ENGINES=sqlite bench/storage.sh    one of them
#   N=20000 ROUNDS=1 bench/storage.sh  short
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

ENGINES=${ENGINES:-sqlite postgres} ROUNDS=${ROUNDS:-3} N=${N:-64000} WRITERS=${WRITERS:-256}
# As many rows a commit as ours puts into one at most.
declare -A GROUP=([sqlite]=256 [postgres]=64)
OURS=${OURS:-$ROOT/.build/release/storage-bench}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/yijia-bench.XXXXXX")
trap 'rm -rf "$WORK"; [ -z "${server:-}" ] || scripts/postgres.sh stop "$server" || true' EXIT

[ -x "$OURS" ] || swift build -c release --product storage-bench
if [[ " $ENGINES " == *" sqlite "* ]]; then
  cc -O2 -o "$WORK/bare-sqlite" bench/storage/sqlite.c -lsqlite3
fi
if [[ " $ENGINES " == *" postgres "* ]]; then
  # shellcheck disable=SC2046  # several words are wanted
  cc -O2 -o "$WORK/bare-postgres" $(pkg-config --cflags libpq) bench/storage/postgres.c -lpq
  mapfile -t started < <(scripts/postgres.sh start)
  server=${started[0]} url=${started[1]}
fi

for ((round = 1; round <= ROUNDS; round++)); do
  for engine in $ENGINES; do
    case $engine in
      sqlite) bare=$WORK/bare.$round ours=sqlite:$WORK/ours.$round ;;
      postgres) bare=$url ours="$url?options=-csearch_path%3Dround$round" ;;
      *) die "no engine $engine; there are: sqlite postgres" ;;
    esac
    "$WORK/bare-$engine" "$bare" "$N" "${GROUP[$engine]}" | sed "s/^/$engine bare /"
    "$OURS" "$ours" "$N" "$WRITERS" | sed "s/^/$engine ours /"
  done
done >"$WORK/figures"

python3 - "$WORK/figures" <<'P'
import statistics, sys
figures = {}
for line in open(sys.argv[1]):
    engine, who, name, value = line.split()
    figures.setdefault((engine, name), {}).setdefault(who, []).append(float(value))
units = {"writes": "durable writes/s", "single": "p50 of one, µs", "reads": "reads by key/s"}
print(f"{'engine':10}{'figure':20}{'bare C':>10}{'ours':>10}{'ratio':>8}")
for (engine, name), values in figures.items():
    ours = statistics.median(values["ours"])
    bare = statistics.median(values["bare"]) if "bare" in values else None
    print(f"{engine:10}{units[name]:20}{bare or 0:10.0f}{ours:10.0f}"
          + (f"{ours / bare:8.2f}" if bare else ""))
P
