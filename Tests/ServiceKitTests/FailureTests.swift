import GoogleProtobuf
import GoogleRPC
import Logging
import Protobuf
import RPC
import ServiceKit
import Storage
import Synchronization
import Testing

@Suite("Failures")
struct FailureTests {
  @Test("every common failure has a reason, a code and a message in both languages")
  func complete() {
    let failures: [CommonFailure] = [
      .invalidFields([]), .callerUnproven, .callerKind, .role, .outOfScope, .requestIDReused,
      .etagMismatch, .invalidPageToken, .invalidCursor, .storageBusy, .storageUnavailable,
    ]
    for failure in failures {
      #expect(!failure.reason.isEmpty)
      #expect(!failure.text.zh.isEmpty)
      #expect(failure.text.en.utf8.allSatisfy { $0 < 0x80 })
      #expect((failure.code == .unavailable) == (failure.retryAfter != nil))
    }
    #expect(Set(failures.map(\.reason)).count == failures.count)
  }

  @Test("every field violation is rendered, in the caller's language")
  func fields() {
    let failure = CommonFailure.invalidFields([
      FieldFailure(field: "a", reason: "REQUIRED", text: LocalizedText(zh: "甲", en: "A")),
      FieldFailure(field: "b", reason: "TOO_LONG", text: LocalizedText(zh: "乙", en: "B")),
    ])
    let rendered = render(failure, in: .english)
    #expect(rendered.code == .invalidArgument)
    #expect(rendered.fieldFailures.map(\.field) == ["a", "b"])
    #expect(rendered.message.contains("A") && rendered.message.contains("B"))
    #expect(render(failure, in: .chinese).message.contains("甲"))
  }

  @Test("the log says why the store is not available, and nothing of a statement")
  func causes() {
    let lines = LogLines()
    let mapping = FailureMapping(
      domain: "tests", logger: Logger(label: "tests") { _ in LinesHandler(lines: lines) })
    let errors: [StorageError] = [
      .unreachable(.init("password authentication failed")),
      .forbidden(.init("permission denied for table note")),
      .statement(.init("a value of somebody")),
    ]
    for error in errors { _ = mapping.status(of: error, method: "/a/b", metadata: Metadata()) }
    let causes = lines.all
    #expect(causes.count == 3)
    #expect(causes.first?.contains("password authentication failed") == true)
    #expect(causes.dropFirst().first?.contains("permission denied for table note") == true)
    #expect(causes.last?.contains("somebody") == false)
  }

  @Test("the message names each wrong field with what to do about it")
  func message() {
    let failure = CommonFailure.invalidFields([
      FieldFailure(field: "a_b", reason: "X", text: LocalizedText(zh: "必填。", en: "is required.")),
      FieldFailure(field: "c[0]", reason: "X", text: LocalizedText(zh: "过长。", en: "too long.")),
    ])
    #expect(failure.text.zh == "有 2 个字段有误：a_b：必填；c[0]：过长。")
    #expect(failure.text.en == "2 wrong fields: a_b: is required; c[0]: too long.")
  }

  @Test("fields are named as in JSON to a caller who asks for that")
  func jsonNames() {
    let field = FieldFailure(
      field: "application.areas[1].work_area_2", reason: "X",
      text: LocalizedText(zh: "必填。", en: "is required."))
    for error in [field, CommonFailure.invalidFields([field])] as [any Error] {
      let rendered = render(error, in: .english, .json)
      #expect(rendered.fieldFailures.map(\.field) == ["application.areas[1].workArea2"])
      #expect(rendered.message.contains("workArea2: is required"))
      #expect(render(error, in: .english).fieldFailures.map(\.field) == [field.field])
    }
  }

  @Test("the message of many invalid fields is short; each field has its own text")
  func manyFields() {
    let fields = (0..<1_000).map {
      FieldFailure(
        field: "\($0)", reason: "X",
        text: LocalizedText(
          zh: String(repeating: "长", count: 100), en: String(repeating: "x", count: 100)))
    }
    let failure = CommonFailure.invalidFields(fields)
    #expect(failure.text.en.utf8.count < 11 << 10)
    #expect(failure.text.zh.utf8.count < 11 << 10)
    #expect(failure.fieldFailures.count == 1_000)
  }

  @Test("of more wrong fields than fit into a status the first are named and the others counted")
  func omittedFields() throws {
    for count in [1, 20, 200] {
      let fields = (0..<count).map {
        FieldFailure(
          field: "settings.rules[\($0)]", reason: "REQUIRED",
          text: LocalizedText(zh: "请填写这一条的区域。", en: "is required."))
      }
      let mapping = FailureMapping(domain: "tests", logger: Logger(label: "tests"))
      let error = mapping.status(
        of: CommonFailure.invalidFields(fields), method: "/a/b",
        metadata: ["accept-language": "zh"])
      // What goes over the wire, see StatusFields.
      #expect(error.details.count <= 4_608)
      let status = try Status(wireBytes: error.details)
      let info = try #require(try status.details.first?.unpack(ErrorInfo.self))
      let request = try #require(try status.details.last?.unpack(BadRequest.self))
      let named = request.fieldViolations.map(\.field)
      #expect(named == fields.prefix(named.count).map(\.field))
      #expect(Int(info.metadata["fields_omitted"] ?? "0") == count - named.count)
      #expect(named.count >= min(count, 20))
    }
  }

  @Test("texts of libraries are not sent")
  func foreign() {
    struct Leak: Error, CustomStringConvertible {
      var description: String { "SELECT secret FROM person" }
    }
    for language in Language.allCases {
      let rendered = render(Leak(), in: language)
      #expect(rendered.code == .internalError)
      #expect(rendered.reason == "INTERNAL")
      #expect(!rendered.message.contains("SELECT"))
    }
  }

  @Test("a storage error becomes the common failure of the same meaning")
  func storage() {
    let busy = render(StorageError.busy, in: .english)
    #expect(busy.reason == "STORAGE_BUSY" && busy.code == .unavailable)
    #expect(render(StorageError.requestIDReused, in: .english).code == .alreadyExists)
    #expect(render(StorageError.invalidPageToken, in: .english).reason == "INVALID_PAGE_TOKEN")
    #expect(render(StorageError.closed, in: .english).code == .unavailable)
    #expect(render(StorageError.column("x"), in: .english).code == .internalError)
  }
}

/// The causes that were logged.
private final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct LinesHandler: LogHandler {
  let lines: LogLines
  var metadata = Logger.Metadata()
  var logLevel = Logger.Level.trace

  init(lines: LogLines) { self.lines = lines }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lines.add("\(event.metadata?["cause"] ?? "")")
  }
}
