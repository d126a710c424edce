#!/usr/bin/env bash
# Reads of one member by key among ten thousand and among ten million, on both engines, through the
# service's own query: reads a second with 64 callers, and p50 of one. The ratio counts.
#
#   bench/scale.sh fill    fills what is not filled yet; it may be stopped and called again
#   bench/scale.sh read    measures, and prints the table
#   bench/scale.sh clean   stops the server and removes the data
#   bench/scale.sh         all three
#
# MEMBERS=100000 ENGINES=sqlite SMALL=10000 CALLS=200000 SCALE_DATA=FOLDER change what it does. Ten
# million members take some 12 GB an engine.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

MEMBERS=${MEMBERS:-10000000} SMALL=${SMALL:-10000} CALLS=${CALLS:-200000}
ENGINES=${ENGINES:-sqlite postgres}
DATA=${SCALE_DATA:-${TMPDIR:-/tmp}/yijia-scale}
OURS=${OURS:-$ROOT/.build/release/members-data}
[ -x "$OURS" ] || swift build -c release --product members-data
mkdir -p "$DATA"

# The configuration of one store.
config() { # ENGINE MEMBERS
  local store=$DATA/$1-$2 database
  case $1 in
    sqlite) database=sqlite:$store/members.sqlite ;;
    postgres) database="$(sed -n 2p "$DATA/server")?options=-csearch_path%3Dscale$2" ;;
    *) die "no engine $1; there are: sqlite postgres" ;;
  esac
  mkdir -p "$store"
  cat >"$store/members.yaml" <<Y
service:
  database: "$database"
  keyrings:
    fields_file: $store/fields
    hashes_file: $store/hashes
    page_tokens_file: $store/page-tokens
Y
  say "$store/members.yaml"
}

fill() {
  local engine count
  if [[ " $ENGINES " == *" postgres "* ]] && [ ! -f "$DATA/server" ]; then
    scripts/postgres.sh start >"$DATA/server.draft"
    mv "$DATA/server.draft" "$DATA/server"
    # So much at once would otherwise make a checkpoint every few seconds, each with whole pages.
    psql -q "$(sed -n 2p "$DATA/server")" -c "ALTER SYSTEM SET max_wal_size = '8GB'" \
      -c "ALTER SYSTEM SET checkpoint_timeout = '15min'" -c "SELECT pg_reload_conf()" >/dev/null
  fi
  for engine in $ENGINES; do
    for count in "$SMALL" "$MEMBERS"; do
      [ ! -f "$DATA/$engine-$count/filled" ] || continue
      "$OURS" make --config "$(config "$engine" "$count")" --members "$count"
      touch "$DATA/$engine-$count/filled"
      [ "$engine" != postgres ] || psql -q "$(sed -n 2p "$DATA/server")" -c "VACUUM ANALYZE"
    done
  done
}

measure() {
  local engine count
  for engine in $ENGINES; do
    for count in "$SMALL" "$MEMBERS"; do
      "$OURS" read --config "$(config "$engine" "$count")" --members "$count" --calls "$CALLS" |
        sed "s/^/$engine $count /"
    done
  done >"$DATA/figures"
  python3 - "$DATA/figures" "$SMALL" "$MEMBERS" <<'P'
import sys
figures = {}
for line in open(sys.argv[1]):
    engine, count, name, value = line.split()
    figures.setdefault((engine, name), {})[count] = float(value)
small, large = sys.argv[2:]
units = {"members-by-key": "members by key/s", "member-p50": "p50 of one, µs"}
print(f"{'engine':10}{'figure':20}{small:>12}{large:>12}{'slower by':>11}")
for (engine, name), found in figures.items():
    few, many = found[small], found[large]
    ratio = many / few if name == "member-p50" else few / many
    print(f"{engine:10}{units[name]:20}{few:12.0f}{many:12.0f}{ratio:11.2f}")
P
}

clean() {
  [ ! -f "$DATA/server" ] || scripts/postgres.sh stop "$(sed -n 1p "$DATA/server")"
  rm -rf "$DATA"
}

main() {
  case ${1:-all} in
    fill) fill ;;
    read) measure ;;
    clean) clean ;;
    all)
      fill
      measure
      clean
      ;;
    *) die "usage: bench/scale.sh [fill | read | clean]" ;;
  esac
}

# Read as a whole before it runs: it takes an hour, and the file may change meanwhile.
{
  main "$@"
  exit
}
