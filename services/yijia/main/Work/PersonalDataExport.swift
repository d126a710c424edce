import ArgumentParser
import Foundation
import GoogleProtobuf
import GoogleType
import MembersV1
import Protobuf
import ProtobufJSON
import RPC
import ServiceKit

extension Members {
  struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write all data of a person in full, at their wish: a line of JSON for each item.",
      discussion: """
        The record is followed by its applications, log, cases with their log, transfers, \
        corrections, away reports, refresh records, honors, outreach entries, possible duplicates \
        and merges; records that were merged into it come next. A person who applied and never \
        became a member is named by an application.
        Example: yijia members export 23456789013 --reason "asked for in writing" --to person.json
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The person: a member's number, members/ID, or enrollments/ID.")
    var person: String
    @Option(help: .reason) var reason: String
    @Option(help: "The file to write; only you can read it. - is standard output.")
    var to: String

    func run() async throws {
      try await explained {
        if to != "-" { try Arguments.requireWritable(to) }
        try await connection.with(.staff) { client in
          var request = ExportPersonalDataRequest()
          request.name = try await Member.resourceName(of: person, client)
          request.reason = reason
          let registry = try TypeRegistry([
            MembersV1Descriptors.fileDescriptorSet, GoogleProtobufDescriptors.fileDescriptorSet,
            GoogleTypeDescriptors.fileDescriptorSet,
          ])
          let name = "yijia.members.v1.ExportPersonalDataResponse"
          guard let type = registry.message(named: name) else {
            throw ConfigurationError("\(name): is not in the contract")
          }
          let json = JSONMapping(registry)
          var lines = Data()
          for try await part in try await client.members.exportPersonalData(
            request, options: client.options)
          {
            lines += try json.json(fromWire: part.wireBytes(), of: type) + [UInt8(ascii: "\n")]
          }
          if to == "-" {
            try FileHandle.standardOutput.write(contentsOf: lines)
          } else {
            try SecretFile.write(lines, to: URL(filePath: to))
            Terminal.note("\(to): written")
          }
        }
      }
    }
  }
}
