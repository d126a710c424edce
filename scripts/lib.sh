# Sourced by the scripts beside it: where things are, how they speak, who is missing.
# shellcheck shell=bash disable=SC2034  # used by those that source this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${YIJIA_VENV:-$ROOT/.venv}

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "error: $*"; exit 1; }

# Runs its arguments politely: builds and tests should not starve the desk they run at.
polite() { nice -n "${YIJIA_NICE:-5}" "$@"; }

# The executables of a suite.
SUITE=(yijia yijia-gateway yijia-members yijia-stations)

# Builds products for release. Swift's libraries are part of each: an executable then runs on a
# machine without Swift, and a call costs fewer instructions. The rest is for less memory: names
# that nobody looks up are left out, of libstdc++ only what is used is linked, and relocations are
# packed, which needs glibc 2.36 or later.
build_release() { # PRODUCT…
  local product cxx
  local -a flags=(--static-swift-stdlib -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic)
  printf '2.36\n%s\n' "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -VC &&
    flags+=(-Xlinker -z -Xlinker pack-relative-relocs)
  cxx=$("$(dirname "$(command -v swift)")/clang" -print-file-name=libstdc++.a 2>/dev/null) || true
  [ ! -f "$cxx" ] || flags+=(-Xlinker "--remap-inputs=*/libstdc++.so=$cxx")
  for product; do
    polite swift build -c release "${flags[@]}" --product "$product" >&2 || return
  done
}

# Every hand-written Swift file, NUL-terminated. Generated code has its own folders, or says so in
# its first line ("// Generated …"); bench/peers is a copy of others' servers.
swift_sources() {
  local file
  find "$ROOT/Package.swift" "$ROOT/Sources" "$ROOT/services" "$ROOT/Tests" "$ROOT/examples" \
    -path "$ROOT/Sources/Messages" -prune -o -name '*.swift' -type f -print0 |
    while IFS= read -r -d '' file; do
      head -n 1 "$file" | grep -qiE '^// (generated|swift-format-ignore-file)' ||
        printf '%s\0' "$file"
    done
}

# Folders that scripts/gen.sh writes.
GENERATED=(Sources/Messages Sources/CMessages)
