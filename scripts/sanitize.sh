#!/usr/bin/env bash
# The runtime's tests under a sanitizer.
#
#   scripts/sanitize.sh thread            data races
#   scripts/sanitize.sh address           use after free, overflow, leaks of C memory
#   scripts/sanitize.sh thread RPCTests   only those tests
#
# It builds the runtime and its tests in .build-thread or .build-address, for debug: ten minutes
# from nothing on two cores; the tests have ten more (LIMIT=20m for more). Reports go to the
# terminal; any report is a failure. What is reported and is none stands, with its reason, in
# Tests/Sanitizers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

kind=${1:-}
case $kind in thread | address) ;; *) die "scripts/sanitize.sh thread|address [FILTER]" ;; esac
# Services and gateway are these with SQL and routes around them. The inputs of fuzzing come last: a
# minute of work without a pause, which would keep all others from the few threads that there are.
runtime='HTTP2Tests|RPCTests|ProtobufTests|CompressionTests|ServiceKitTests|StorageTests'
filters=("$runtime" FuzzTests)
[ $# -lt 2 ] || filters=("$2")

export YIJIA_RUNTIME=1 YIJIA_STRICT=0 SWIFT_BACKTRACE=enable=no
export TSAN_OPTIONS="exitcode=66 suppressions=$ROOT/Tests/Sanitizers/thread.supp"
export ASAN_OPTIONS="exitcode=66 detect_stack_use_after_return=1"
export LSAN_OPTIONS="suppressions=$ROOT/Tests/Sanitizers/leak.supp print_suppressions=0"
# Ten thousand random messages would take longer than all other tests together.
export YIJIA_TORTURE_COUNT=${YIJIA_TORTURE_COUNT:-500}
flags=(--sanitize="$kind" --scratch-path ".build-$kind")
polite swift build --build-tests "${flags[@]}"
# Few at once: what is watched runs ten times slower, and deadlines do not wait.
for filter in "${filters[@]}"; do
  polite timeout --foreground --kill-after=30s "${LIMIT:-10m}" \
    swift test --skip-build --disable-xctest "${flags[@]}" --filter "$filter" \
    --experimental-maximum-parallelization-width 4
done
say "$kind sanitizer: no report"
