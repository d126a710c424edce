#!/usr/bin/env bash
# The one installer: what building and testing Yijia needs and this machine lacks.
#
#   scripts/deps.sh          for run and test
#   scripts/deps.sh bench    also what only `make bench` needs
#   scripts/deps.sh faults   also what only `make faults` needs
#
# It looks first and does nothing when nothing is missing. System packages: as root by apt-get,
# else by `sudo -n`, else it prints the line to run and stops. Python tools go to .venv (or
# YIJIA_VENV), again only when requirements.txt has changed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

SWIFT_NEEDED=6.2  # swift-tools-version of Package.swift; developed with 6.3

check_swift() {
  local version
  command -v swift >/dev/null ||
    die "no Swift here. Install Swift 6.3 (https://www.swift.org/install/linux) and put it on PATH."
  version=$(swift --version 2>&1 | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  [ "$(printf '%s\n' "$SWIFT_NEEDED" "${version:-0}" | sort -V | head -n 1)" = "$SWIFT_NEEDED" ] ||
    die "Swift ${version:-of an unknown version} is too old: Yijia needs 6.3" \
      "(https://www.swift.org/install/linux)."
}

# lacks PACKAGE TEST...: names PACKAGE when the test of what it brings fails.
missing=()
lacks() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

look() {
  lacks pkg-config command -v pkg-config
  lacks libnghttp2-dev pkg-config --exists libnghttp2
  lacks libprotobuf-c-dev pkg-config --exists libprotobuf-c
  lacks libsqlite3-dev pkg-config --exists sqlite3
  lacks libpq-dev pkg-config --exists libpq
  lacks postgresql sh -c 'ls /usr/lib/postgresql/*/bin/initdb || command -v initdb'
  lacks openssl command -v openssl
  lacks zlib1g-dev pkg-config --exists zlib
  lacks libqrencode-dev pkg-config --exists libqrencode
  lacks protobuf-compiler command -v protoc
  lacks python3 command -v python3
  lacks python3-venv python3 -c 'import ensurepip, venv'
  lacks chromium command -v chromium
  case ${1:-} in
    bench) look_for_bench ;;
    faults) look_for_faults ;;
  esac
}

look_for_faults() {
  lacks gcc command -v gcc
  lacks patroni command -v patroni  # what it needs; itself is of requirements.txt
  lacks etcd-server command -v etcd
}

look_for_bench() {
  lacks gcc command -v gcc
  lacks protobuf-c-compiler command -v protoc-c
  lacks nghttp2-client command -v h2load
  lacks nghttp2-server command -v nghttpd
  lacks golang-google-grpc-dev test -d /usr/share/gocode/src/google.golang.org/grpc
  lacks g++ command -v g++
  lacks libgrpc++-dev pkg-config --exists grpc++
  lacks libprotobuf-dev pkg-config --exists protobuf
  lacks protobuf-compiler-grpc command -v grpc_cpp_plugin
}

install() {
  local as_root=() line
  line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null || die "missing, by Debian's names: ${missing[*]}. Install them," \
    "then run this again."
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || die "these packages are missing and only root can install them." \
      $'Run this line, then try again:\n'"  sudo sh -c '$line'"
    as_root=(sudo -n)
  fi
  say "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq -o DPkg::Lock::Timeout=120 --no-install-recommends \
      "${missing[@]}" >/dev/null
}

python_tools() {
  local stamp=$VENV/requirements.installed
  cmp -s "$ROOT/requirements.txt" "$stamp" && [ -x "$VENV/bin/python" ] && return 0
  say "installing Python tools in ${VENV#"$ROOT"/}"
  # A half-made folder is made anew.
  "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$VENV"
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check -r "$ROOT/requirements.txt"
  cp "$ROOT/requirements.txt" "$stamp"
}

check_swift
look "${1:-}"
if [ ${#missing[@]} -gt 0 ]; then
  install
  missing=()
  look "${1:-}"
  [ ${#missing[@]} -eq 0 ] || die "still missing after the installation: ${missing[*]}"
fi
python_tools
