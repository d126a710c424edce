#!/usr/bin/env bash
# Every check of the repository, in stages, each timed:
#
#   deps         what is missing is installed
#   lint         scripts/lint.sh
#   build        the whole package for debug, tests included; warnings are errors
#   generated    the committed generated code is what scripts/gen.sh writes today
#   unit         swift test
#   conformance  Tests/Conformance: gRPC's interoperability cases against others' clients, servers
#                and proxies
#   integration  Tests/Integration: clients no one here wrote against the built executables
#
#   scripts/test.sh                    all of them
#   scripts/test.sh unit               one (deps and build come along where they are needed)
#   FILTER=HTTP2 scripts/test.sh unit  only tests whose name holds it
#
# A failed stage does not hide the next ones, except that nothing runs on a failed build. At the end
# every failed test has a line ("failed: …") and every stage another; the last line counts tests and
# is alone on its line: "N passed, N failed". Exit status 0 means all is well.
# YIJIA_STRICT=0 lets warnings pass.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit 1

export YIJIA_STRICT=${YIJIA_STRICT:-1}
# A whole run fits 40 minutes on 2 cores; a stage that hangs must not eat the others' time.
LIMIT_BUILD=25m LIMIT_GENERATED=5m LIMIT_UNIT=10m LIMIT_CONFORMANCE=8m
LIMIT_INTEGRATION=15m
ALL=(deps lint build generated unit conformance integration)
RESULTS=$ROOT/.build/results
# Six hundred tests that all begin at once starve each other for a minute, deadlines included.
TESTS_AT_ONCE=8

limited() { # TIME COMMAND...
  local foreground=()
  # At a terminal Ctrl-C must reach the command; elsewhere the whole group dies at the limit.
  [ ! -t 0 ] || foreground=(--foreground)
  polite timeout "${foreground[@]}" --kill-after=30s "$@"
}

stage_deps() { scripts/deps.sh; }
stage_lint() { scripts/lint.sh; }
stage_build() { limited $LIMIT_BUILD swift build --build-tests; }

# Sets the old times back on files that came out the same, so that nothing is built again.
stage_generated() {
  local before file status=0
  before=$(mktemp -d)
  cp -a --parents "${GENERATED[@]}" "$before/"
  limited $LIMIT_GENERATED scripts/gen.sh || status=1
  for file in "${GENERATED[@]}"; do
    diff -rq "$before/$file" "$file" || status=1
  done
  while IFS= read -r -d '' file; do
    ! cmp -s "$before/$file" "$file" || touch -r "$before/$file" "$file"
  done < <(find "${GENERATED[@]}" -type f -print0)
  rm -rf "$before"
  [ $status -eq 0 ] || warn "remedy: make gen, read the difference, commit it with its contract"
  return $status
}

# With a PostgreSQL of its own, which ends with the stage.
stage_unit() {
  limited $LIMIT_UNIT scripts/postgres.sh run swift test --skip-build --disable-xctest \
    --experimental-maximum-parallelization-width $TESTS_AT_ONCE \
    --xunit-output "$RESULTS/unit.xml" ${FILTER:+--filter "$FILTER"}
}

stage_conformance() { pytest conformance $LIMIT_CONFORMANCE Tests/Conformance; }
stage_integration() { pytest integration $LIMIT_INTEGRATION Tests/Integration; }

# A crashed program must not leave a backtracer that holds its output pipe.
pytest() { # STAGE LIMIT FOLDER
  YIJIA_BIN=$ROOT/.build/debug SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 \
    limited "$2" "$VENV/bin/python" -m pytest "$3" \
    -q -p no:cacheprovider --timeout 300 --durations 10 \
    --junitxml "$RESULTS/$1.xml" ${FILTER:+-k "$FILTER"}
  local status=$?
  # pytest's 5: no test was found. That is a failure unless a filter asked for others.
  [ $status -eq 5 ] && [ -n "${FILTER:-}" ] || return $status
}

declare -A verdict seconds status
run_stage() {
  local name=$1 start=$SECONDS
  say "=== $name"
  "stage_$name"
  status[$name]=$?
  if [ "${status[$name]}" -eq 0 ]; then verdict[$name]=ok; else verdict[$name]=FAILED; fi
  seconds[$name]=$((SECONDS - start))
  say "--- $name: ${verdict[$name]} after ${seconds[$name]} s"
}

stands_on_build() { case $1 in generated | unit | conformance | integration) ;; *) false ;; esac; }

# Which stages, in order: what was asked for, with what it stands on.
plan() {
  local name wanted=" $* "
  for name in "$@"; do
    case " ${ALL[*]} " in *" $name "*) ;; *) die "no stage $name; there are: ${ALL[*]}" ;; esac
  done
  for name in "$@"; do ! stands_on_build "$name" || wanted="$wanted build "; done
  wanted="$wanted deps "
  for name in "${ALL[@]}"; do case $wanted in *" $name "*) say "$name" ;; esac; done
}

summary() {
  local name broken=0 verdict_of_all=ok passed failed skipped failure
  local -a counted
  mapfile -t counted < <("$ROOT/scripts/count-tests.sh" "$RESULTS"/*.xml)
  read -r passed failed skipped <<<"${counted[0]}"
  say ""
  for failure in "${counted[@]:1}"; do say "failed: $failure"; done
  for name in unit conformance integration; do
    [ "${verdict[$name]:-}" = FAILED ] || continue
    # A runner that died, at whatever moment, may have no failed test.
    say "failed: stage $name, status ${status[$name]}; passed, failed, skipped tests:" \
      "$("$ROOT/scripts/count-tests.sh" "$RESULTS/$name.xml" | head -n 1)"
  done
  for name in "${stages[@]}"; do
    printf '%-12s %-8s %5s s\n' "$name" "${verdict[$name]:-skipped}" "${seconds[$name]:-0}"
    [ "${verdict[$name]:-skipped}" = ok ] || broken=$((broken + 1))
  done
  [ $broken -eq 0 ] || verdict_of_all=FAILED
  printf '%-12s %-8s %5s s\n' all "$verdict_of_all" "$SECONDS"
  # A stage without tests of its own, and a run that crashed before it could say, fail as one.
  [ $broken -eq 0 ] || [ "$failed" -gt 0 ] || failed=$broken
  if [ $broken -eq 0 ] && [ "$failed" -gt 0 ]; then broken=1; fi
  if [ "$skipped" -eq 0 ]; then skipped=; else skipped=", $skipped skipped"; fi
  say "$passed passed, $failed failed$skipped"
  [ $broken -eq 0 ]
}

[ $# -gt 0 ] || set -- "${ALL[@]}"
planned=$(plan "$@") || exit 2
mapfile -t stages <<<"$planned"
rm -rf "$RESULTS"
mkdir -p "$RESULTS"
for name in "${stages[@]}"; do
  ! stands_on_build "$name" || [ "${verdict[build]}" = ok ] || continue
  run_stage "$name"
  [ "$name ${verdict[$name]}" != "deps FAILED" ] || break
done
summary
