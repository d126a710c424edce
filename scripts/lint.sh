#!/usr/bin/env bash
# Style, as far as a machine can hold it without building: Swift, contracts, scripts.
#
#   scripts/lint.sh          reports, and fails when there is something to report
#   scripts/lint.sh --fix    formats Swift and contracts in place (make format)
#   scripts/lint.sh --baseline   at a release: writes anew what later contracts may not break
#
# Rules about the whole repository (imports, sizes, banned calls) are tests: Tests/TidyTests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

BUF=$VENV/bin/buf
# The contracts of the last release: a change that breaks its callers fails. A package that is still
# moving is added to RELEASED when it is released, and the baseline written anew.
BASELINE=proto/baseline.binpb
RELEASED=(gateway/v1 members/v1 stations/v1 operations/v1 type/v1)
[ -x "$BUF" ] || die "the tools in ${VENV#"$ROOT"/} are not installed: run make deps"

fix() {
  swift_sources |
    xargs -0 -r swift format format --in-place --parallel --configuration .swift-format
  ! has_contracts || "$BUF" format proto --path proto/yijia --write
}

has_contracts() { [ -n "$(find proto/yijia -name '*.proto' -print -quit 2>/dev/null)" ]; }

failed=0
check() { # NAME COMMAND...
  local name=$1
  shift
  "$@" || { warn "lint: $name failed"; failed=1; }
}

lint_swift() {
  swift_sources |
    xargs -0 -r swift format lint --strict --parallel --configuration .swift-format ||
    { warn "remedy: make format, then mend by hand what is left"; return 1; }
}

lint_format_contracts() {
  "$BUF" format proto --path proto/yijia --diff --exit-code ||
    { warn "remedy: make format"; return 1; }
}

# written_in PATTERN...: files of ours outside Sources and services, NUL-terminated.
written_in() {
  find . -path './.build*' -prune -o -path './.venv' -prune -o -path ./.git -prune -o \
    -path './.dev*' -prune -o -path ./bench/peers -prune -o -type f \( "$@" \) -print0
}

lint_scripts() {
  written_in -name '*.sh' -o -path ./.ci/run |
    xargs -0 -r "$VENV/bin/shellcheck" --external-sources --source-path=SCRIPTDIR \
      --severity=warning
}

# The interpreter's own parser, over every file.
lint_python() {
  written_in -name '*.py' | "$VENV/bin/python" -c '
import ast, sys
bad = 0
for name in filter(None, sys.stdin.read().split("\0")):
    try:
        ast.parse(open(name, encoding="utf-8").read(), name)
    except SyntaxError as error:
        print(f"{name}:{error.lineno}: {error.msg}", file=sys.stderr)
        bad = 1
sys.exit(bad)'
}

# Without comments, so that only what callers depend on is in it.
write_baseline() {
  "$BUF" build proto --exclude-source-info -o "$BASELINE" \
    "${RELEASED[@]/#/--path=proto/yijia/}"
}

case ${1:-} in
  --fix) fix && exit ;;
  --baseline) write_baseline && exit ;;
esac
check "swift format" lint_swift
check "shell scripts" lint_scripts
check "Python" lint_python
if has_contracts; then
  check "buf lint" "$BUF" lint proto
  check "buf format" lint_format_contracts
  check "buf breaking" "$BUF" breaking proto --against "$BASELINE"
else
  warn "lint: no contracts under proto/yijia"
  failed=1
fi
exit "$failed"
