import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

@testable import MembersCore

/// The operations of administrators on organizations, in one line each.
extension Harness {
  func organization(_ name: String) async throws -> Organization {
    var request = GetOrganizationRequest()
    request.name = name
    guard let found = try await client(.administrator).getOrganization(request).organization
    else { throw Unexpected("no organization in the response") }
    return found
  }

  func found(
    below parent: String, _ displayName: String = "新工会", as caller: Caller = .administrator,
    requestID: String = UUID().uuidString, _ change: (inout Organization) -> Void = { _ in }
  ) async throws -> Organization {
    var request = CreateOrganizationRequest()
    request.requestID = requestID
    var organization = Organization()
    organization.parent = parent
    organization.displayName = displayName
    organization.kind = .enterpriseUnion
    organization.level = .basic
    organization.regionCode = "340603"
    change(&organization)
    request.organization = organization
    guard let created = try await client(caller).createOrganization(request).organization
    else { throw Unexpected("no organization in the response") }
    return created
  }

  @discardableResult
  func approveUnion(
    _ name: String, as caller: Caller = .staff("", id: 2), etag: String = ""
  ) async throws -> Organization? {
    var request = ApproveOrganizationRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.etag = etag
    return try await client(caller).approveOrganization(request).organization
  }

  @discardableResult
  func suspend(_ name: String, as caller: Caller = .administrator) async throws -> Organization? {
    var request = SuspendOrganizationRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.reason = "整顿"
    return try await client(caller).suspendOrganization(request).organization
  }

  @discardableResult
  func resume(_ name: String, as caller: Caller = .administrator) async throws -> Organization? {
    var request = ResumeOrganizationRequest()
    request.requestID = UUID().uuidString
    request.name = name
    return try await client(caller).resumeOrganization(request).organization
  }

  @discardableResult
  func dissolve(
    _ name: String, poolsMembers: Bool = false, as caller: Caller = .administrator,
    requestID: String = UUID().uuidString
  ) async throws -> DissolveOrganizationResponse {
    var request = DissolveOrganizationRequest()
    request.requestID = requestID
    request.name = name
    request.reason = "企业注销"
    request.poolMembers = poolsMembers
    return try await client(caller).dissolveOrganization(request)
  }

  @discardableResult
  func move(
    _ name: String, below parent: String, region: String = "",
    as caller: Caller = .administrator, etag: String = ""
  ) async throws -> Organization? {
    var request = MoveOrganizationRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.parent = parent
    request.regionCode = region
    request.etag = etag
    return try await client(caller).moveOrganization(request).organization
  }

  @discardableResult
  func update(
    _ name: String, region: String, as caller: Caller = .administrator
  ) async throws -> Organization? {
    var request = UpdateOrganizationRequest()
    request.requestID = UUID().uuidString
    var organization = try await organization(name)
    organization.regionCode = region
    request.organization = organization
    request.updateMask = .with { $0.paths = ["region_code"] }
    return try await client(caller).updateOrganization(request).organization
  }

  /// Returns the inconsistencies of the tree: cycles, paths that do not extend the parent's, wrong
  /// numbers of children, regions outside the parent's, and live members of dissolved organizations
  /// or undissolved organizations below them.
  func wrongs() async throws -> [String] {
    struct Node: Sendable {
      var parent: String?
      var path: String
      var region: String
      var state: Int32
      var children: Int64
    }
    let nodes = try await database.read(
      Query<[String: Node]>(
        "SELECT id, parent_id, path, region_code, state, child_count FROM organizations"
      ) { rows in
        try Dictionary(
          uniqueKeysWithValues: rows.map {
            (
              try $0.text("id"),
              Node(
                parent: try $0.optionalText("parent_id"), path: try $0.text("path"),
                region: try $0.text("region_code"), state: try $0.int32("state"),
                children: try $0.integer("child_count"))
            )
          })
      })
    let dissolved = OrganizationState.dissolved.rawValue
    var wrongs: [String] = []
    for (id, node) in nodes {
      var above: [String] = []
      var next: String? = id
      while let step = next, above.count <= nodes.count {
        above.append(step)
        next = nodes[step]?.parent
      }
      if above.count > nodes.count { wrongs.append("\(id) stands in a ring") }
      if above.reversed().joined() != node.path { wrongs.append("\(id) has another path") }
      if let parent = node.parent.flatMap({ nodes[$0] }), node.state != dissolved,
        !RegionCode.lies(node.region, within: parent.region)
      {
        wrongs.append("\(id) is in \(node.region), and its parent in \(parent.region)")
      }
      let children = nodes.values.filter { $0.parent == id && $0.state != dissolved }.count
      if Int64(children) != node.children {
        wrongs.append("\(id) has \(children) below it and says \(node.children)")
      }
      if node.state == dissolved, children > 0 { wrongs.append("\(id) is dissolved above others") }
    }
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    let members = try await database.read(
      Query<[String]>.all(
        """
        SELECT m.id FROM memberships AS m
        JOIN organizations AS o ON o.id = m.managing_organization_id
        WHERE m.state IN (\(live)) AND o.state = \(dissolved)
        """
      ) { try $0.text("id") })
    return wrongs + members.map { "\($0) is a live member of a dissolved organization" }
  }
}
