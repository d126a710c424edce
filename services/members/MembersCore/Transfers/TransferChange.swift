import MembersV1
import Storage

extension Commit {
  /// Changes a transfer, guarded by the version that was read, with its event. Where that ends it,
  /// the member's place for an open transfer is free again.
  ///
  /// - Returns: The transfer after the change.
  /// - Throws: ``MembersError/transferState``, ``MembersError/transferExpired``.
  @discardableResult
  mutating func change(
    _ stored: StoredTransfer, _ input: TransferProgress.Input, by act: Act,
    edit: (inout StoredTransfer) -> Void = { _ in }
  ) throws -> StoredTransfer {
    var changed = stored
    try changed.progress.apply(input, on: act.day)
    edit(&changed)
    changed.version += 1
    run(TransferStore.update(changed))
    if changed.progress.state != .requested {
      run(TransferStore.close(of: changed.memberID, isOpen: true))
    }
    emit(try .changed(changed))
    return changed
  }

  /// Cancels a member's open transfer with what ends the membership, in the same commit, after the
  /// membership's own change: who asks for a transfer meanwhile is noticed.
  mutating func cancelTransfer(_ open: PlacedTransfer?, of memberID: String, by act: Act) throws {
    if let open {
      try change(open.transfer, .cancel, by: act)
    } else {
      run(TransferStore.close(of: memberID, isOpen: false))
    }
  }

  /// Places a member in a union whom others move there, out of the pool too. An open transfer is
  /// the member's own wish, and goes on; one to where the member is from now on ends, since nothing
  /// is left to decide.
  mutating func place(
    _ facts: MemberFacts, in receiver: StoredOrganization, by act: Act
  ) throws -> StoredMember {
    let placed = try move(facts, to: receiver, by: act)
    try settleTransfer(facts.transfer, of: placed.id, movedTo: receiver.id, by: act)
    return placed
  }

  /// What becomes of an open transfer when its member is moved by others: after the membership's
  /// own change, so that who asks for one meanwhile is noticed.
  mutating func settleTransfer(
    _ open: PlacedTransfer?, of memberID: String, movedTo organizationID: String, by act: Act
  ) throws {
    if let open, open.transfer.toID != organizationID {
      run(TransferStore.isStill(open.transfer))
    } else {
      try cancelTransfer(open, of: memberID, by: act)
    }
  }

  /// Moves a member to the receiving union, never in none or two: the membership, the case of the
  /// pool where there is one.
  mutating func move(
    _ facts: MemberFacts, to receiver: StoredOrganization, by act: Act
  ) throws -> StoredMember {
    guard facts.member.managingOrganizationID != receiver.id else {
      throw MembersError.sameOrganization
    }
    try receiver.checkTakesMembers()
    let moved = try change(facts.member, .transfer, to: receiver.id, by: act)
    if let open = facts.poolCase { try change(open.poolCase, .close, by: act) }
    return moved
  }
}
