import Foundation
public import OperationsV1
public import RPC
public import Storage

/// `yijia.operations.v1.OperationsService`: what operators do with a running service's data. The
/// same for every service; what differs is its ``ServiceUpkeep``.
public struct OperationsService: OperationsServiceProtocol {
  private let database: any Database
  private let upkeep: any ServiceUpkeep

  /// - Parameters:
  ///   - database: The service's store.
  ///   - upkeep: What is known of the tables in that store.
  public init(database: any Database, upkeep: any ServiceUpkeep) {
    self.database = database
    self.upkeep = upkeep
  }

  /// Runs one task to its end.
  public func runTask(
    _ request: RunTaskRequest, responses: ResponseWriter<RunTaskResponse>, context: ServerContext
  ) async throws {
    let report: TaskReport = { unit, done, total in
      var progress = TaskProgress()
      progress.unit = unit
      progress.done = Int64(done)
      progress.total = Int64(total)
      var response = RunTaskResponse()
      response.event = .progress(progress)
      try await responses.send(response)
    }
    var response = RunTaskResponse()
    response.event = .result(try await result(of: request, report))
    try await responses.send(response)
  }

  private func result(
    of request: RunTaskRequest, _ report: TaskReport
  ) async throws -> TaskResult {
    switch request.task {
    case .verifyAudit(let task): return try await verifyAudit(task, report)
    case .createBackup(let task): return try await createBackup(task, report)
    case .rotateKeys: return try await rotateKeys(report)
    case .recountStatistics:
      let findings = try await upkeep.recount(report: report)
      return TaskResult(findings.isEmpty, findings)
    case nil:
      throw FieldFailure(
        field: "task", reason: "REQUIRED",
        text: LocalizedText(zh: "请指定任务。", en: "name the task."))
    }
  }

  private func verifyAudit(
    _ task: VerifyAuditTask, _ report: TaskReport
  ) async throws -> TaskResult {
    let anchors = task.anchors.map {
      AuditHead(chain: $0.chain, sequence: $0.sequence, hash: $0.hash)
    }
    let found = try await database.verifyAudit(anchors: anchors) { done, total in
      try await report("entries", done, total)
    }
    var result = TaskResult(found.isIntact, [found.summary])
    result.heads = found.heads.map { head in
      var message = AuditChainHead()
      message.chain = head.chain
      message.sequence = head.sequence
      message.hash = head.hash
      return message
    }
    return result
  }

  private func createBackup(
    _ task: CreateBackupTask, _ report: TaskReport
  ) async throws -> TaskResult {
    guard task.path.hasPrefix("/"), !task.path.utf8.contains(0) else {
      throw FieldFailure(
        field: "create_backup.path", reason: "INVALID_PATH",
        text: LocalizedText(
          zh: "请填写绝对路径。", en: "must be an absolute path."))
    }
    guard let database = database as? any CopyableDatabase else {
      throw OperationsFailure.taskUnsupported
    }
    do {
      try await database.copy(to: task.path) { done, total in
        try await report("bytes", done, total)
      }
    } catch let error as StorageError {
      // The fault is the copy's, rarely the store's: a call to the store would say more.
      throw OperationsFailure.copyFailed(error.debugDetail ?? "\(error)")
    }
    return TaskResult(true, [])
  }

  private func rotateKeys(_ report: TaskReport) async throws -> TaskResult {
    let needs: [KeyNeed]
    do {
      needs = try await upkeep.rotateKeys(in: database, report: report)
    } catch StorageError.keyring(let reason) {
      throw OperationsFailure.keyringRefused(reason)
    }
    var result = TaskResult(
      true, needs.map { "\($0.keyring): key \($0.key) is needed: \($0.rows) \($0.reason)" })
    result.keyUses = needs.map { need in
      var use = KeyUse()
      use.keyring = need.keyring
      use.key = need.key
      use.rows = Int64(need.rows)
      use.reason = need.reason
      return use
    }
    return result
  }
}

/// Why a task can't be run.
enum OperationsFailure: ServiceFailure {
  /// The store's engine has its own tools for it.
  case taskUnsupported
  /// The copy of the store can't be made there. Holds what is wrong, in English.
  case copyFailed(String)
  /// A keyring's file can't be used, or is not that of the store. Holds what is wrong, in English.
  case keyringRefused(String)

  var code: RPCError.Code { .failedPrecondition }
  var reason: String {
    switch self {
    case .taskUnsupported: "TASK_UNSUPPORTED"
    case .copyFailed: "COPY_FAILED"
    case .keyringRefused: "KEYRING_REFUSED"
    }
  }
  var text: LocalizedText {
    switch self {
    case .taskUnsupported:
      LocalizedText(
        zh: "该存储引擎请使用其自带的备份工具。",
        en: "This store's engine has tools of its own for it.")
    case .copyFailed(let reason):
      LocalizedText(
        zh: "未能复制数据（\(reason)）：目标须有足够空间，且运行本服务的用户可以写入。",
        en: "The store was not copied (\(reason)): the copy needs room, and the user that runs the "
          + "service must be able to write there.")
    case .keyringRefused(let reason):
      LocalizedText(
        zh: "密钥文件不可用，仍使用原有密钥：\(reason)",
        en: "The keyrings stay as they were: \(reason)")
    }
  }
}

extension TaskResult {
  fileprivate init(_ sound: Bool, _ findings: [String]) {
    self.init()
    self.sound = sound
    self.findings = findings
  }
}
