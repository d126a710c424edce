#!/usr/bin/env bash
# The storage layer beside bare C programs of the same work, in one run: durable one-row writes a
# second with 256 writers (in C a thread each, and one that commits what waits; in a loop: without
# any writer, full groups one after the other, what the library can do), the median of a lone write
# (in C by the thread that has it; handing it over: to the one that commits, as services must), and
# reads by key. Rounds are interleaved; medians count.
#
#   bench/storage.sh                   both engines; PostgreSQL is started for it
#   ENGINES=sqlite bench/storage.sh    one of them
#   N=20000 ROUNDS=1 bench/storage.sh  short
#   MANY=10000000 ROUNDS=1 bench/storage.sh  also reads of a table of that many rows
set -euo pipefail
export PGSSLMODE=disable
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

ENGINES=${ENGINES:-sqlite postgres} ROUNDS=${ROUNDS:-3} N=${N:-64000} WRITERS=${WRITERS:-256}
# As many rows a commit as ours puts into one at most.
declare -A GROUP=([sqlite]=256 [postgres]=64)
OURS=${OURS:-$ROOT/.build/release/storage-bench}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/yijia-bench.XXXXXX")
trap 'rm -rf "$WORK"; [ -z "${server:-}" ] || scripts/postgres.sh stop "$server" || true' EXIT

[ -x "$OURS" ] || build_release storage-bench
if [[ " $ENGINES " == *" sqlite "* ]]; then
  cc -O2 -o "$WORK/bare-sqlite" bench/storage/sqlite.c -lsqlite3 -lpthread
fi
if [[ " $ENGINES " == *" postgres "* ]]; then
  # shellcheck disable=SC2046  # several words are wanted
  cc -O2 -o "$WORK/bare-postgres" $(pkg-config --cflags libpq) bench/storage/postgres.c \
    -lpq -lpthread
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
    "$WORK/bare-$engine" "$bare" "$N" "${GROUP[$engine]}" "$WRITERS" | sed "s/^/$engine bare /"
    "$OURS" "$ours" "$N" "$WRITERS" ${MANY:+"$MANY"} | sed "s/^/$engine ours /"
  done
done >"$WORK/figures"

python3 - "$WORK/figures" <<'P'
import statistics, sys
figures = {}
for line in open(sys.argv[1]):
    engine, who, name, value = line.split()
    figures.setdefault((engine, name), {}).setdefault(who, []).append(float(value))
# Ours has one way to store: it stands beside each of C's.
for (engine, name), values in figures.items():
    beside = {"loop": "writes", "handed": "single"}.get(name)
    if beside: values["ours"] = figures[engine, beside].get("ours", [])
units = {"writes": "durable writes/s", "loop": "… C in a loop", "single": "p50 of one, µs",
         "handed": "… C handing it over", "reads": "reads by key/s",
         "reads-of-many": "… of many rows"}
print(f"{'engine':10}{'figure':20}{'bare C':>10}{'ours':>10}{'ratio':>8}")
for (engine, name), values in figures.items():
    bare, ours = (statistics.median(values[who]) if values.get(who) else None
                  for who in ("bare", "ours"))
    cells = "".join(f"{value:10.0f}" if value else f"{'':10}" for value in (bare, ours))
    print(f"{engine:10}{units[name]:20}{cells}" + (f"{ours / bare:8.2f}" if bare and ours else ""))
P
