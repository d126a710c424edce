import Foundation
import MembersV1
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Streams of organizations")
struct OrganizationStreamTests {
  @Test("an exported tree can be imported elsewhere, and is the same tree")
  func export() async throws {
    try await Harness.run { harness in
      let more = (0..<1_200).map {
        Tree.row(
          "e\($0)", $0 < 600 ? "xiangshan" : "e\($0 - 600)", "工会 \($0)", .jointUnion, .basic,
          "340603")
      }
      let names = try await harness.plantTree(Tree.rows + more)
      let exported = try await harness.export(as: .administrator)
      #expect(exported.count == Tree.rows.count + more.count)
      let rows = exported.map { row in
        Tree.row(
          row.organization?.externalID ?? "", row.parentExternalID,
          row.organization?.displayName ?? "", row.organization?.kind ?? .unspecified,
          row.organization?.level ?? .unspecified, row.organization?.regionCode ?? ""
        ) {
          $0.groups = row.organization?.groups ?? []
          $0.employerCreditCodes = row.organization?.employerCreditCodes ?? []
          $0.takesIndividuals = row.organization?.takesIndividuals ?? false
        }
      }
      // The same content again: there are no conflicts, and every parent comes before its children.
      #expect(try await harness.plantTree(rows) == names)
      let xiangshan = Caller.staff(names["xiangshan"] ?? "", role: .viewer)
      #expect(try await harness.export(as: xiangshan).count == 6 + more.count)
      #expect(
        try await refusal { try await harness.export(as: xiangshan, names["huaibei"] ?? "") }
          == "OUT_OF_SCOPE")
    }
  }

  @Test("a watcher gets the current tree, then each change, and continues from a cursor")
  func watch() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(Tree.rows + [Tree.zone])
      let huaibei = Caller.staff(names["huaibei"] ?? "", role: .viewer)
      let first = try await harness.watch(as: huaibei)
      #expect(first.count == 11)
      #expect(first.dropLast().allSatisfy { $0.cursor.isEmpty })
      #expect(first.last?.change == .complete(true))
      let cursor = first.last?.cursor ?? ""
      #expect(try await harness.watch(as: huaibei, after: cursor) == [])

      // Moved within the subtree: changed. Moved out of it: gone. Moved into it: with all below.
      try await harness.move(names["quegou"] ?? "", below: names["zone"] ?? "")
      try await harness.suspend(names["drivers"] ?? "")
      try await harness.move(names["quegou"] ?? "", below: names["anhui"] ?? "")
      try await harness.move(names["quegou"] ?? "", below: names["huaibei"] ?? "")
      let changes = try await harness.watch(as: huaibei, after: cursor)
      // An event reports the current state, so the first three are outdated and the last is
      // accurate.
      let said = changes.map { response -> String in
        switch response.change {
        case .organization(let organization)?: "\(organization.externalID) \(organization.etag)"
        case .removed(let name)?: name
        default: "?"
        }
      }
      #expect(Set(said) == ["quegou v4", "drivers v2", "quegou-east v1"])
      #expect(said.last == "quegou v4")
      let anhui = Caller.staff(names["anhui"] ?? "", role: .viewer)
      #expect(
        try await refusal { try await harness.watch(as: anhui, after: cursor) }
          == "INVALID_CURSOR")
      #expect(
        try await refusal { try await harness.watch(as: huaibei, after: "1.5") }
          == "INVALID_CURSOR")
    }
  }

  @Test("a live watcher gets the events changed, gone, and moved in with all below")
  func follow() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(Tree.rows + [Tree.zone])
      let client = try harness.client(.staff(names["xiangshan"] ?? "", role: .viewer))
      let stream = try await client.watchOrganizationTree(WatchOrganizationTreeRequest())
      var events = stream.makeAsyncIterator()
      while let event = try await events.next(), event.change != .complete(true) {}
      func next() async throws -> WatchOrganizationTreeResponse.Change? {
        try await events.next()?.change
      }
      try await harness.suspend(names["drivers"] ?? "")
      let drivers = try await harness.organization(names["drivers"] ?? "")
      #expect(try await next() == .organization(drivers))
      try await harness.move(names["quegou"] ?? "", below: names["zone"] ?? "")
      #expect(try await next() == .removed(names["quegou"] ?? ""))
      try await harness.move(names["quegou"] ?? "", below: names["xiangshan"] ?? "")
      var come: [String] = []
      for _ in 0..<3 {
        if case .organization(let organization)? = try await next() {
          come.append(organization.externalID)
        }
      }
      #expect(come.sorted() == ["quegou", "quegou", "quegou-east"])
      stream.cancel()
    }
  }
}

extension Harness {
  fileprivate func export(
    as caller: Caller, _ ancestor: String = ""
  ) async throws -> [ExportOrganizationsResponse] {
    var request = ExportOrganizationsRequest()
    request.ancestor = ancestor
    var rows: [ExportOrganizationsResponse] = []
    for try await row in try await client(caller).exportOrganizations(request) { rows.append(row) }
    return rows
  }

  fileprivate func watch(
    as caller: Caller, after cursor: String = ""
  ) async throws -> [WatchOrganizationTreeResponse] {
    var request = WatchOrganizationTreeRequest()
    request.cursor = cursor
    request.stopAtEnd = true
    var responses: [WatchOrganizationTreeResponse] = []
    for try await response in try await client(caller).watchOrganizationTree(request) {
      responses.append(response)
    }
    return responses
  }
}
