import ServiceKit
import Testing
import YijiaTypeV1

@Suite("Scopes of callers")
struct ScopeTests {
  private static let kinds: [CallerKind] = [
    .unspecified, .partner, .kiosk, .staff, .member, .service,
  ]
  private static let roles: [StaffRole] = [.unspecified, .viewer, .clerk, .administrator]

  @Test("staff have their organization's subtree, whatever their role", arguments: roles)
  func subtree(role: StaffRole) {
    let caller = Caller(kind: .staff, subject: "staff/1", organization: "ab", staffRole: role)
    #expect(caller.scope == .subtree("ab"))
  }

  @Test("without an organization an administrator has the whole tree, and nobody else anything")
  func wholeTree() {
    for kind in Self.kinds {
      for role in Self.roles {
        let isFree = kind == .staff && role == .administrator
        #expect(
          Caller(kind: kind, subject: "x/1", staffRole: role).scope
            == (isFree ? .wholeTree : .nothing))
      }
    }
  }

  @Test("who is no staff has no scope, even with an organization and a role")
  func others() {
    for kind in Self.kinds where kind != .staff {
      let caller = Caller(
        kind: kind, subject: "x/1", organization: "ab", staffRole: .administrator)
      #expect(caller.scope == .nothing)
    }
  }
}
