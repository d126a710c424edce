#!/bin/sh
# Builds BenchServer (-c release) in a copy of this package under $1
# (default .build-peers/swift-pkg), so that no .build folder lies here.
#   build.sh [FOLDER] generate   builds the two protoc plugins first and writes
#                                Sources/BenchServer/*.pb.swift, *.grpc.swift anew.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../../../.build-peers/swift-pkg}
mkdir -p "$out"
cp "$here/Package.swift" "$out/"
mkdir -p "$out/Sources/BenchServer"
rm -f "$out"/Sources/BenchServer/*.swift
cp "$here"/Sources/BenchServer/*.swift "$out/Sources/BenchServer/"
cd "$out"
if [ "${2:-}" = generate ]; then
  swift build -c release -j 2 --product protoc-gen-swift
  swift build -c release -j 2 --product protoc-gen-grpc-swift-2
  bin=$(swift build -c release --show-bin-path)
  dest="$here/Sources/BenchServer"
  protoc -I "$here/../proto" --plugin="$bin/protoc-gen-swift" \
      --plugin="$bin/protoc-gen-grpc-swift-2" \
      --swift_out="$dest" --swift_opt=Visibility=Internal \
      --grpc-swift-2_out="$dest" \
      --grpc-swift-2_opt=Client=false,Server=true,Visibility=Internal bench.proto
  cp "$dest"/*.swift Sources/BenchServer/
fi
swift build -c release -j 2 --product BenchServer
