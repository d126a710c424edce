#!/bin/sh
# Builds server into $1 (default .build-peers/cpp).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../../../.build-peers/cpp}
mkdir -p "$out"
protoc --proto_path="$here/../proto" --cpp_out="$out" --grpc_out="$out" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" bench.proto
g++ -std=c++17 -O2 -g -DNDEBUG -I"$out" "$here/server.cc" "$out/bench.pb.cc" \
    "$out/bench.grpc.pb.cc" $(pkg-config --libs grpc++ protobuf) -labsl_synchronization -lpthread -o "$out/server"
