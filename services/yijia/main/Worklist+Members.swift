import ArgumentParser
import MembersV1

/// Applications that wait for a decision.
struct Enrollments: AsyncParsableCommand, Listed {
  static let abstract = "List applications: by default those that wait for a decision."
  static let configuration = CommandConfiguration(
    abstract: "Applications for membership: list, approve, refuse.",
    discussion: """
      Examples:
        yijia enrollments list --ancestor qinhuangdao
        yijia enrollments approve enrollments/ID
        yijia enrollments refuse enrollments/ID --reason "applied twice"
      """,
    subcommands: [
      ListCommand<Enrollments>.self, DecisionCommand<Approve>.self, DecisionCommand<Refuse>.self,
    ])

  static func page(
    _ asked: Asked<EnrollmentState>, _ client: SuiteClient
  ) async throws -> (lines: [String], next: String) {
    var request = ListEnrollmentsRequest()
    (request.ancestor, request.states) = (asked.ancestor, asked.states)
    request.pageToken = asked.pageToken
    let page = try await client.members.listEnrollments(request, options: client.options)
    return (page.enrollments.map(line), page.nextPageToken)
  }

  private static func line(_ enrollment: Enrollment?) -> String {
    guard let enrollment else { return "" }
    return "\(enrollment.name)  \(contractName(enrollment.state))  \(enrollment.organization)  "
      + enrollment.routeReason
  }

  enum Approve: Decision {
    static let verb = "approve"
    static let abstract = "Admit the people of applications that wait."
    static let collection = "enrollments"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = ApproveEnrollmentRequest()
      (request.requestID, request.name) = (told.requestID, told.name)
      return line(
        try await client.members.approveEnrollment(request, options: client.options).enrollment)
    }
  }

  enum Refuse: Decision {
    static let verb = "refuse"
    static let abstract = "Refuse applications that wait, with a reason in your own words."
    static let collection = "enrollments"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = RefuseEnrollmentRequest()
      (request.requestID, request.name) = (told.requestID, told.name)
      (request.reason, request.note) = (.other, told.reason)
      return line(
        try await client.members.refuseEnrollment(request, options: client.options).enrollment)
    }
  }
}

/// The holding pool.
struct Pool: AsyncParsableCommand, Listed {
  static let abstract = "List cases of the holding pools by due date: by default the open ones."
  static let configuration = CommandConfiguration(
    abstract: "The holding pool (周转池): list cases, assign, confirm and return them.",
    discussion: """
      Examples:
        yijia pool list --state WAITING
        yijia pool assign poolCases/ID poolCases/ID --to qinhuangdao-couriers
        yijia pool return poolCases/ID --reason "works elsewhere"
      """,
    subcommands: [
      ListCommand<Pool>.self, DecisionCommand<Assign>.self, DecisionCommand<Confirm>.self,
      DecisionCommand<Return>.self,
    ])

  static func page(
    _ asked: Asked<PoolCaseState>, _ client: SuiteClient
  ) async throws -> (lines: [String], next: String) {
    var request = ListPoolCasesRequest()
    (request.ancestor, request.states) = (asked.ancestor, asked.states)
    request.pageToken = asked.pageToken
    let page = try await client.members.listPoolCases(request, options: client.options)
    return (page.poolCases.map(line), page.nextPageToken)
  }

  private static func line(_ found: PoolCase?) -> String {
    guard let found else { return "" }
    return "\(found.name)  \(contractName(found.state))  \(dayText(found.dueDate))  "
      + "\(found.memberNumber)  \(contractName(found.group))  \(found.receiver)"
  }

  enum Assign: Decision {
    static let verb = "assign"
    static let abstract = "Assign cases to the union that --to names."
    static let collection = "poolCases"
    static let otherParty: OtherParty? = .organization

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = AssignPoolCaseRequest()
      (request.requestID, request.name, request.receiver) =
        (told.requestID, told.name, told.other)
      return line(
        try await client.members.assignPoolCase(request, options: client.options).poolCase)
    }
  }

  enum Confirm: Decision {
    static let verb = "confirm"
    static let abstract = "Accept the members of cases assigned to your union."
    static let collection = "poolCases"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = ConfirmPoolCaseRequest()
      (request.requestID, request.name) = (told.requestID, told.name)
      return line(
        try await client.members.confirmPoolCase(request, options: client.options).poolCase)
    }
  }

  enum Return: Decision {
    static let verb = "return"
    static let abstract = "Return cases assigned to your union, with a reason."
    static let collection = "poolCases"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = ReturnPoolCaseRequest()
      (request.requestID, request.name, request.reason) = (told.requestID, told.name, told.reason)
      return line(
        try await client.members.returnPoolCase(request, options: client.options).poolCase)
    }
  }
}

/// Transfers.
struct Transfers: AsyncParsableCommand, Listed {
  static let abstract = "List transfers by due date: by default those that wait for a decision."
  static let configuration = CommandConfiguration(
    abstract: "Transfers to your unions: list, accept, decline.",
    discussion: """
      Examples:
        yijia transfers accept transfers/ID
        yijia transfers decline transfers/ID --reason "no longer works here"
      """,
    subcommands: [
      ListCommand<Transfers>.self, DecisionCommand<Accept>.self, DecisionCommand<Decline>.self,
    ])

  static func page(
    _ asked: Asked<TransferState>, _ client: SuiteClient
  ) async throws -> (lines: [String], next: String) {
    var request = ListTransfersRequest()
    (request.ancestor, request.states) = (asked.ancestor, asked.states)
    request.pageToken = asked.pageToken
    let page = try await client.members.listTransfers(request, options: client.options)
    return (page.transfers.map(line), page.nextPageToken)
  }

  private static func line(_ transfer: Transfer?) -> String {
    guard let transfer else { return "" }
    return "\(transfer.name)  \(contractName(transfer.state))  \(dayText(transfer.dueDate))  "
      + "\(transfer.memberNumber)  \(transfer.fromOrganization)  \(transfer.toOrganization)"
  }

  enum Accept: Decision {
    static let verb = "accept"
    static let abstract = "Take the members of transfers into your union."
    static let collection = "transfers"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = AcceptTransferRequest()
      (request.requestID, request.name) = (told.requestID, told.name)
      return line(
        try await client.members.acceptTransfer(request, options: client.options).transfer)
    }
  }

  enum Decline: Decision {
    static let verb = "decline"
    static let abstract = "Decline transfers to your union, with a reason."
    static let collection = "transfers"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = DeclineTransferRequest()
      (request.requestID, request.name, request.reason) = (told.requestID, told.name, told.reason)
      return line(
        try await client.members.declineTransfer(request, options: client.options).transfer)
    }
  }
}

/// Possible duplicates.
struct Duplicates: AsyncParsableCommand, Listed {
  static let abstract = "List possible duplicates, oldest first: by default those to be judged."
  static let configuration = CommandConfiguration(
    abstract: "Possible duplicates: list, merge, tell apart, undo a merge.",
    discussion: """
      Examples:
        yijia duplicates merge duplicates/ID --to members/ID --reason "the same person, by phone"
        yijia duplicates distinguish duplicates/ID --reason "brothers"
      """,
    subcommands: [
      ListCommand<Duplicates>.self, DecisionCommand<Merge>.self,
      DecisionCommand<Distinguish>.self, DecisionCommand<Undo>.self,
    ])

  static func page(
    _ asked: Asked<DuplicateState>, _ client: SuiteClient
  ) async throws -> (lines: [String], next: String) {
    var request = ListDuplicatesRequest()
    (request.ancestor, request.states) = (asked.ancestor, asked.states)
    request.pageToken = asked.pageToken
    let page = try await client.members.listDuplicates(request, options: client.options)
    return (page.duplicates.map(line), page.nextPageToken)
  }

  private static func line(_ duplicate: Duplicate?) -> String {
    guard let duplicate else { return "" }
    return "\(duplicate.name)  \(contractName(duplicate.state))  "
      + "\(contractName(duplicate.kind))  \(duplicate.person?.member ?? "")  "
      + "\(duplicate.other?.member ?? "")"
  }

  private static func judge(
    _ told: Told, survivor: String, _ client: SuiteClient
  ) async throws -> String {
    var request = JudgeDuplicateRequest()
    (request.requestID, request.name, request.reason) = (told.requestID, told.name, told.reason)
    request.survivor = survivor
    return line(
      try await client.members.judgeDuplicate(request, options: client.options).duplicate)
  }

  enum Merge: Decision {
    static let verb = "merge"
    static let abstract = "Merge two records into that of the member that --to names."
    static let collection = "duplicates"
    static let otherParty: OtherParty? = .member

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      // Without a survivor the records would be told apart.
      guard !told.other.isEmpty else {
        throw ValidationError("--to names the member whose record remains")
      }
      return try await judge(told, survivor: told.other, client)
    }
  }

  enum Distinguish: Decision {
    static let verb = "distinguish"
    static let abstract = "Record that two records are two people."
    static let collection = "duplicates"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      try await judge(told, survivor: "", client)
    }
  }

  enum Undo: Decision {
    static let verb = "undo"
    static let abstract = "Undo a merge; both records are as before."
    static let collection = "duplicates"

    static func decide(_ told: Told, _ client: SuiteClient) async throws -> String {
      var request = UndoMergeRequest()
      (request.requestID, request.name, request.reason) = (told.requestID, told.name, told.reason)
      return line(try await client.members.undoMerge(request, options: client.options).duplicate)
    }
  }
}
