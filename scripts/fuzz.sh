#!/usr/bin/env bash
# Fuzzing: libFuzzer with AddressSanitizer over the targets of Tests/Fuzz, one after the other.
#
#   scripts/fuzz.sh                     every target for TIME seconds (60)
#   TIME=600 scripts/fuzz.sh wire       one target, longer
#   RUNS=10000000 scripts/fuzz.sh       so many inputs each instead, however long that takes
#   LENGTH=4096 scripts/fuzz.sh json    inputs of up to so many bytes (256)
#   MINIMIZE=1 scripts/fuzz.sh          afterwards writes what was found to Tests/Fuzz/corpus,
#                                       as few inputs as reach the same code
#
# It builds in .build-fuzz, where what a run finds stays for the next one. Each target begins with
# the committed corpus and regressions. An input that breaks a target is kept in
# .build-fuzz/found/TARGET: mend the code, then commit it under a telling name in
# Tests/Fuzz/regressions/TARGET, which `make test` runs again.
#
# The table at the end says what was run: "reached" counts places in the code (edges), with those
# that the committed corpus does not reach behind the plus sign. Exit status 1: a target broke.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

TIME=${TIME:-60} RUNS=${RUNS:-} LENGTH=${LENGTH:-256} MINIMIZE=${MINIMIZE:-}
SCRATCH=${YIJIA_SCRATCH:-$ROOT/.build-fuzz}
for number in "$TIME" "${RUNS:-0}" "$LENGTH"; do
  case $number in *[!0-9]*) die "TIME, RUNS and LENGTH are whole numbers, not '$number'" ;; esac
done

# Targets of Tests/Fuzz/Services and Tests/Fuzz/Gateway; all others are the runtime's.
SERVICES=' identifiers page-tokens caller-token configuration '
GATEWAY=' http1 path-templates targets '

mapfile -t all < <(find Tests/Fuzz/corpus -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
targets=("$@")
[ $# -gt 0 ] || targets=("${all[@]}")
for target in "${targets[@]}"; do
  case " ${all[*]} " in *" $target "*) ;; *) die "no target $target; there are: ${all[*]}" ;; esac
done

program() { # TARGET
  case $SERVICES in *" $1 "*) say fuzz-services && return ;; esac
  case $GATEWAY in *" $1 "*) say fuzz-gateway ;; *) say fuzz-runtime ;; esac
}

# SwiftPM hands swiftc one -sanitize after the other and swiftc takes the last: so both in one.
# Optimized, for the number of inputs, but with assertions.
build() { # PROGRAM
  YIJIA_FUZZ=1 YIJIA_STRICT=0 polite swift build -c release --scratch-path "$SCRATCH" \
    --product "$1" --sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=fuzzer,address \
    -Xswiftc -assert-config -Xswiftc Debug >&2
}

# target_run TARGET ARGUMENT...: libFuzzer over a target.
#
# What AddressSanitizer does for a readable report costs most of the time where a target allocates:
# an unwound stack with each block, and a quarantine that no cache holds. An input that was found
# gives the full report without these options: YIJIA_FUZZ_TARGET=wire …/fuzz-runtime FILE.
target_run() {
  YIJIA_FUZZ_TARGET=$1 SWIFT_BACKTRACE=enable=no \
    ASAN_OPTIONS=malloc_context_size=0:quarantine_size_mb=4:detect_leaks=0 \
    polite "$SCRATCH/release/$(program "$1")" "${@:2}"
}

# The last number behind NAME in a log, 0 when there is none.
last() { sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1 | grep . || say 0; }

# edges TARGET FOLDER...: how many places in the code those inputs reach.
edges() {
  target_run "$1" -runs=0 "${@:2}" >"$SCRATCH/$1.edges.log" 2>&1 || true
  last 'cov:' "$SCRATCH/$1.edges.log"
}

# A run of one target; shows its progress; prints the row of the table into $SCRATCH/TARGET.row.
fuzz() {
  local target=$1 log=$SCRATCH/$1.log work=$SCRATCH/work/$1 found=$SCRATCH/found/$1
  local committed=(Tests/Fuzz/corpus/"$target") before status=0 limit=(-max_total_time="$TIME")
  [ ! -d "Tests/Fuzz/regressions/$target" ] || committed+=(Tests/Fuzz/regressions/"$target")
  [ -z "$RUNS" ] || limit=(-runs="$RUNS")
  mkdir -p "$work" "$found"
  before=$(edges "$target" "${committed[@]}")
  say "=== $target"
  # All goes to the log, the pulse to the reader, too.
  target_run "$target" "$work" "${committed[@]}" "${limit[@]}" -max_len="$LENGTH" -timeout=20 \
    -rss_limit_mb=3072 -print_final_stats=1 -artifact_prefix="$found/" 2>&1 | tee "$log" |
    grep --line-buffered -aE '^#[0-9]+[[:space:]]+(pulse|INITED|DONE)|ERROR|Fatal error|SUMMARY' ||
    true
  ! grep -qa 'Test unit written to' "$log" || status=1
  printf '%-14s %12s %9s %9s %7s\n' "$target" "$(last stat::number_of_executed_units: "$log")" \
    "$(last 'cov:' "$log")" "+$(($(last 'cov:' "$log") - before))" "$status" >"$SCRATCH/$target.row"
  return $status
}

# Writes the fewest inputs that reach the places that all of them reach; small ones first.
minimize() {
  local target=$1 fewest
  fewest=$(mktemp -d)
  target_run "$target" -set_cover_merge=1 -use_counters=0 -max_len="$LENGTH" "$fewest" \
    "Tests/Fuzz/corpus/$target" "$SCRATCH/work/$target" >"$SCRATCH/$target.merge.log" 2>&1
  rm -f "Tests/Fuzz/corpus/$target"/*
  mv "$fewest"/* "Tests/Fuzz/corpus/$target"
  rmdir "$fewest"
  say "$target: $(find "Tests/Fuzz/corpus/$target" -type f | wc -l) inputs"
}

programs=$(for target in "${targets[@]}"; do program "$target"; done | sort -u)
say "building the fuzzers (the first time takes some minutes)"
for each in $programs; do build "$each"; done

broken=0
for target in "${targets[@]}"; do fuzz "$target" || broken=1; done
if [ -n "$MINIMIZE" ]; then for target in "${targets[@]}"; do minimize "$target"; done; fi
say ""
printf '%-14s %12s %9s %9s %7s\n' target executions reached new crashes
for target in "${targets[@]}"; do cat "$SCRATCH/$target.row"; done
[ $broken -eq 0 ] || warn "inputs that broke a target are in $SCRATCH/found"
exit $broken
