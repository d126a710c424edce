#!/usr/bin/env bash
# Members among ten thousand and among ten million, on both engines: read from the store by key,
# through the service's own query; and through the gateway, by name (GetMember) and by resident ID
# (ListMembers), and the coverage of all of them. The ratio counts.
#
#   bench/scale.sh fill    fills what is not filled yet; a store that was not finished begins anew
#   bench/scale.sh read    reads from the stores, and prints the table
#   bench/scale.sh ask     asks through a gateway, and prints the table
#   bench/scale.sh clean   stops the server and removes the data
#   bench/scale.sh         all four
#
# MEMBERS=100000 ENGINES=sqlite SMALL=10000 CALLS=200000 ASKED=20000 ROUNDS=3 SCALE_DATA=FOLDER
# change what it does. Ten million members take some 12 GB an engine. What is measured is a store
# that the system's cache holds: give it some minutes and as much memory.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
cd "$ROOT"

ASKED=${ASKED:-20000} ROUNDS=${ROUNDS:-3}
MEMBERS=${MEMBERS:-10000000} SMALL=${SMALL:-10000} CALLS=${CALLS:-200000}
ENGINES=${ENGINES:-sqlite postgres}
DATA=${SCALE_DATA:-${TMPDIR:-/tmp}/yijia-scale}
OURS=${OURS:-$ROOT/.build/release/members-data}
[ -x "$OURS" ] || build_release members-data
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

# Removes a store that was not filled to its end.
discard() { # ENGINE MEMBERS
  case $1 in
    sqlite) rm -rf "${DATA:?}/$1-$2" ;;
    postgres) psql -q "$(sed -n 2p "$DATA/server")" -c "DROP SCHEMA IF EXISTS scale$2 CASCADE" ;;
  esac
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
      discard "$engine" "$count"
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

# Asks one store through a suite of its own, with 64 callers and with one.
ask_store() { # ENGINE MEMBERS
  local mode callers gateway members name value
  prepare sqlite
  # The suite's certificates, the store's database and keys.
  while IFS=: read -r name value; do
    sed -i "s|^\( *${name// /}\):.*|\1:$value|" "$work/sqlite/members.yaml"
  done < <(grep -E '^ +(database|(fields|hashes|page_tokens)_file): ' "$(config "$1" "$2")")
  start sqlite
  for mode in get lookup coverage; do
    for callers in 64 1; do
      gateway=$(ticks "${pids[2]}") members=$(ticks "${pids[0]}")
      "$OURS" ask --connection "$work/sqlite/connection.json" --members "$2" --mode "$mode" \
        --calls "$ASKED" --callers "$callers" --connections "$((callers < 4 ? callers : 4))" \
        >"$work/figures"
      gateway=$(($(ticks "${pids[2]}") - gateway)) members=$(($(ticks "${pids[0]}") - members))
      # A tenth more is asked before the clock runs.
      awk -v key="$1 $2 $mode $callers" -v gateway="$gateway" -v members="$members" \
        -v calls="$((ASKED + ASKED / 10))" -v hz="$(getconf CLK_TCK)" '
        { sub(/^.*-/, "", $1); print key, $1, $2 }
        END {
          print key, "gateway", gateway * 1e6 / hz / calls
          print key, "members", members * 1e6 / hz / calls
        }' "$work/figures" >>"$DATA/asked"
    done
  done
  stop
  rm -rf "${work:?}/sqlite"
}

ask() {
  local engine round count
  RELEASE=${RELEASE:-$ROOT/.build/release}
  # shellcheck source=bench/suite.sh
  . bench/suite.sh
  : >"$DATA/asked"
  for engine in $ENGINES; do
    for round in $(seq "$ROUNDS"); do
      for count in "$SMALL" "$MEMBERS"; do
        warn "$engine, round $round of $ROUNDS: $count members"
        ask_store "$engine" "$count"
      done
    done
  done
  python3 - "$DATA/asked" "$SMALL" "$MEMBERS" <<'P'
import statistics
import sys

figures = {}
for line in open(sys.argv[1]):
    engine, count, mode, callers, name, value = line.split()
    found = figures.setdefault((engine, mode, callers, name), {})
    found.setdefault(count, []).append(float(value))
small, large = sys.argv[2:]
names = {"rate": "a second", "p50": "p50, us", "p99": "p99, us", "gateway": "CPU gateway, us",
         "members": "CPU members, us"}
print(f"{'engine':10}{'asked':10}{'callers':>7}  {'figure':18}{small:>12}{large:>12}"
      f"{'slower by':>11}")
for (engine, mode, callers, name), found in figures.items():
    few, many = statistics.median(found[small]), statistics.median(found[large])
    ratio = few / many if name == "rate" else many / few
    print(f"{engine:10}{mode:10}{callers:>7}  {names[name]:18}{few:12.0f}{many:12.0f}{ratio:11.2f}")
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
    ask) ask ;;
    clean) clean ;;
    all)
      fill
      measure
      ask
      clean
      ;;
    *) die "usage: bench/scale.sh [fill | read | ask | clean]" ;;
  esac
}

# Read as a whole before it runs: it takes an hour, and the file may change meanwhile.
{
  main "$@"
  exit
}
