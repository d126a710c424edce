#!/bin/sh
# Builds limit into $1 (default .build-peers/c).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../../../.build-peers/c}
mkdir -p "$out"
protoc-c --proto_path="$here/../proto" --c_out="$out" bench.proto
gcc -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -I"$out" \
    "$here/limit.c" "$out/bench.pb-c.c" -lnghttp2 -lprotobuf-c -o "$out/limit"
