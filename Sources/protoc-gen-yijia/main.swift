// A protoc plugin: reads a CodeGeneratorRequest from standard input and writes a
// CodeGeneratorResponse to standard output. scripts/gen.sh runs it.
import Foundation
import GoogleProtobuf
import Protobuf

/// google.protobuf.compiler.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
let featureProto3Optional: UInt64 = 1

var response = CodeGeneratorResponse()
response.supportedFeatures = featureProto3Optional
do {
  let input = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
  // protoc is trusted, and its requests may be large.
  var limits = DecodeLimits()
  limits.memory = .max
  let request = try CodeGeneratorRequest(wireBytes: input, limits: limits)
  response.file = try Generator(request).files()
} catch let error as GeneratorError {
  response.error = error.message
} catch {
  response.error = String(describing: error)
}
FileHandle.standardOutput.write(Data(try response.wireBytes()))
