import MembersV1
import Storage

extension Commit {
  /// Changes a transfer, guarded by the version that was read, and emits its event. If that ends
  /// the transfer, the member may request another one; if it opens it again, there must be none.
  ///
  /// - Returns: The changed transfer.
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
    } else if stored.progress.state != .requested {
      run(TransferStore.open(changed))
    }
    emit(try .changed(changed))
    return changed
  }

  /// Cancels a member's open transfer in the commit that ends the membership. Must follow the
  /// membership's own change, so that a concurrent request is detected.
  mutating func cancelTransfer(_ open: PlacedTransfer?, of memberID: String, by act: Act) throws {
    if let open {
      try change(open.transfer, .cancel, by: act)
    } else {
      run(TransferStore.close(of: memberID, isOpen: false))
    }
  }

  /// Moves a member to a union by decision of others, also out of the pool. An open transfer
  /// continues, because it is the member's own request, unless it leads to this union.
  mutating func place(
    _ facts: MemberFacts, in receiver: StoredOrganization, by act: Act
  ) throws -> StoredMember {
    let placed = try move(facts, to: receiver, isJoining: false, by: act)
    try settleTransfer(facts.transfer, of: placed.id, movedTo: receiver.id, by: act)
    return placed
  }

  /// Continues or cancels the open transfer of a member who was moved by others. Must follow the
  /// membership's own change, so that a concurrent request is detected.
  mutating func settleTransfer(
    _ open: PlacedTransfer?, of memberID: String, movedTo organizationID: String, by act: Act
  ) throws {
    if let open, open.transfer.toID != organizationID {
      run(TransferStore.isStill(open.transfer))
    } else {
      try cancelTransfer(open, of: memberID, by: act)
    }
  }

  /// Moves a member to the receiving union atomically: changes the membership and closes the pool
  /// case, if any.
  ///
  /// - Parameter isJoining: Whether the member requested it.
  mutating func move(
    _ facts: MemberFacts, to receiver: StoredOrganization, isJoining: Bool = true, by act: Act
  ) throws -> StoredMember {
    guard facts.member.managingOrganizationID != receiver.id else {
      throw MembersError.sameOrganization
    }
    try receiver.checkTakesMembers()
    let moved = try change(
      facts.member, .transfer, to: receiver.id, isJoining: isJoining, by: act)
    if let open = facts.poolCase { try change(open.poolCase, .close, by: act) }
    return moved
  }
}
