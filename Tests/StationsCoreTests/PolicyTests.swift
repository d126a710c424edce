import RPC
import ServiceKit
import StationsV1
import Testing
import YijiaTypeV1

@testable import StationsCore

@Suite struct PolicyTests {
  @Test("every method states its callers")
  func complete() async throws {
    let table = try PolicyTable(descriptorSets: [StationsV1Descriptors.fileDescriptorSet])
    try await World.run { world in
      try table.check(world.service.methods.map(\.descriptor))
      #expect(world.service.methods.count == 11)
    }
  }

  @Test("a viewer writes nothing, a clerk registers no kiosk, a partner reports no visit")
  func roles() throws {
    let table = try PolicyTable(descriptorSets: [StationsV1Descriptors.fileDescriptorSet])
    let path = "/yijia.stations.v1.StationsService/"
    let viewer = Caller.staff(Tree.city, role: .viewer)
    let clerk = Caller.staff(Tree.city, role: .clerk)
    #expect(throws: CommonFailure.role) { try table.authorize(viewer, path: path + "CreatePoint") }
    #expect(throws: CommonFailure.role) { try table.authorize(clerk, path: path + "RegisterKiosk") }
    #expect(throws: CommonFailure.callerKind) {
      try table.authorize(.partner, path: path + "ReportVisits")
    }
    #expect(throws: CommonFailure.callerKind) {
      try table.authorize(clerk, path: path + "WatchStationEvents")
    }
    try table.authorize(.gateway, path: path + "WatchStationEvents")
    try table.authorize(clerk, path: path + "OpenPoint")
  }
}
