#!/usr/bin/env bash
# Builds the suite for release and does the main job with it: `yijia dev`, in the foreground until
# Ctrl-C. Arguments go to `yijia dev` (try --help); it also reads YIJIA_* variables (README.md).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/deps.sh"
cd "$ROOT"
say "building for release (the first time takes some minutes)"
build_release "${SUITE[@]}"
exec "$ROOT/.build/release/yijia" dev --replay "$@"
