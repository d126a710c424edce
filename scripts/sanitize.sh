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
# Services and gateway are these with SQL and routes around them. What works for a minute without a
# pause comes last, on its own: it would keep all others from the few threads and cores that there
# are. These are the inputs of fuzzing and the random messages; and the test of the process's
# memory, which the others fill as fast as it is released.
runtime='HTTP2Tests|RPCTests|ProtobufTests|CompressionTests|ServiceKitTests|StorageTests'
alone='FuzzTests|AgreementTests|MemoryTests'
tests=(--filter "$runtime" --skip AgreementTests --skip MemoryTests)
later=(--filter "$alone")
[ -z "${2:-}" ] || tests=(--filter "$2") later=()

export YIJIA_RUNTIME=1 YIJIA_STRICT=0 SWIFT_BACKTRACE=enable=no
export TSAN_OPTIONS="exitcode=66 suppressions=$ROOT/Tests/Sanitizers/thread.supp"
export ASAN_OPTIONS="exitcode=66 detect_stack_use_after_return=1"
export LSAN_OPTIONS="suppressions=$ROOT/Tests/Sanitizers/leak.supp print_suppressions=0"
# As many random messages as otherwise would take longer than all other tests together.
export YIJIA_TORTURE_COUNT=${YIJIA_TORTURE_COUNT:-500} YIJIA_JSON_COUNT=${YIJIA_JSON_COUNT:-200}
flags=(--sanitize="$kind" --scratch-path ".build-$kind")
polite swift build --build-tests "${flags[@]}"
# Few at once: what is watched runs ten times slower, and deadlines do not wait.
run() { # OPTION OF swift test...
  polite timeout --foreground --kill-after=30s "${LIMIT:-10m}" \
    swift test --skip-build --disable-xctest "${flags[@]}" "$@" \
    --experimental-maximum-parallelization-width 4
}
run "${tests[@]}"
[ ${#later[@]} -eq 0 ] || run "${later[@]}"
say "$kind sanitizer: no report"
