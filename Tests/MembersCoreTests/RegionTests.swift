import MembersV1
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Regions")
struct RegionTests {
  @Test("every region in force has a parent in force, up to 34 provinces")
  func whole() {
    let table = RegionTable.shared
    var level = table.children(of: "")
    #expect(level.count == 34)
    var count = 0
    while !level.isEmpty {
      count += level.count
      for code in level where code.utf8.count == 6 {
        #expect(table.isCurrent(code) && table.name(of: code) != nil)
        #expect(table.retiredRegion(code) == nil)
      }
      level = level.filter { $0.utf8.count == 6 }.flatMap { table.children(of: $0) }
    }
    // As stated in the header of the data.
    #expect(count == 3_214 + 38_749)
  }

  @Test("the seeds' cities have their counties, and the counties their townships")
  func seeds() {
    let table = RegionTable.shared
    for (city, name, counties) in [
      ("130300", "秦皇岛市", 7), ("340600", "淮北市", 4), ("340300", "蚌埠市", 7),
      ("340500", "马鞍山市", 6), ("340200", "芜湖市", 7), ("340100", "合肥市", 9),
    ] {
      #expect(table.name(of: city) == name)
      let children = table.children(of: city)
      #expect(children.count == counties, "\(name)")
      #expect(children.allSatisfy { !table.children(of: $0).isEmpty })
    }
    #expect(table.parent(of: "340603100") == "340603")
    #expect(table.parent(of: "340603") == "340600")
    #expect(table.parent(of: "340600") == "340000")
    #expect(table.parent(of: "340000") == nil)
    #expect(table.parent(of: "110101") == "110000")
  }

  @Test("partners, staff and members read regions, current and retired, page by page")
  func calls() async throws {
    try await Harness.run { harness in
      for caller in [
        Caller.partner(), .staff("", role: .viewer),
        Caller(kind: .member, subject: "members/\(hexID(1))"),
      ] {
        let client = try harness.client(caller)
        var get = GetRegionRequest()
        get.name = "regions/340603"
        let response = try await client.getRegion(get)
        #expect(response.tableVersion == RegionData.version)
        #expect(response.region?.displayName == "相山区")
        #expect(response.region?.level == .county)
        #expect(response.region?.parent == "regions/340600")
        // A prefecture that became part of a city.
        get.name = "regions/132900"
        let retired = try await client.getRegion(get).region
        #expect(retired?.displayName == "沧州地区")
        #expect(retired?.retired == true)
        #expect(retired?.firstYear == 1980 && retired?.lastYear == 1993)
        #expect(retired?.successor == "regions/130900")
        for (name, refused) in [
          ("regions/999999", "REGION_NOT_FOUND"),
          ("regions/34", "INVALID_FIELDS name=INVALID_NAME"),
          ("", "INVALID_FIELDS name=REQUIRED"),
        ] {
          get.name = name
          #expect(try await refusal { try await client.getRegion(get) } == refused)
        }
        var list = ListRegionsRequest()
        list.parent = "regions/340600"
        list.pageSize = 3
        list.includeRetired = true
        var seen: [Region] = []
        repeat {
          let page = try await client.listRegions(list)
          seen += page.regions
          list.pageToken = page.nextPageToken
        } while !list.pageToken.isEmpty
        #expect(
          seen.prefix { !$0.retired }.map(\.code) == ["340602", "340603", "340604", "340621"])
        #expect(seen.count > 4 && seen.dropFirst(4).allSatisfy { $0.retired })
        #expect(seen.allSatisfy { $0.code.hasPrefix("3406") })
        list.parent = "regions/132900"
        #expect(try await refusal { try await client.listRegions(list) } == "REGION_NOT_FOUND")
      }
    }
  }
}
