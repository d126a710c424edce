import ServiceKit

/// A kind of failed response, as the OpenAPI document describes it.
struct OpenAPIRefusal {
  /// The HTTP status, or `default`.
  let status: String
  /// Name among the document's components.
  let name: String
  let text: LocalizedText
  /// Response fields that only this kind has.
  var fields: [String] = []

  func response(in language: Language) -> JSONValue {
    let response: JSONValue = [
      "description": .string(text.text(in: language)),
      "content": [
        "application/json": ["schema": ["$ref": "#/components/schemas/google.rpc.Status"]]
      ],
    ]
    guard !fields.isEmpty else { return response }
    return response.adding([
      "headers": .object(
        fields.map { .init(name: $0, value: ["$ref": .string("#/components/headers/\($0)")]) })
    ])
  }

  static let all = [
    OpenAPIRefusal(
      status: "400", name: "Refused",
      text: LocalizedText(
        zh: "INVALID_ARGUMENT：有字段有误，逐一列出；FAILED_PRECONDITION：当前状态不允许。原样重试无用。",
        en:
          "INVALID_ARGUMENT: wrong fields, all of them named; FAILED_PRECONDITION: the state does "
          + "not allow it. The same request will not be accepted.")),
    OpenAPIRefusal(
      status: "401", name: "Unproven",
      text: LocalizedText(
        zh: "UNAUTHENTICATED：没有凭证，或凭证错误、已撤销、已过期。",
        en: "UNAUTHENTICATED: no credential, or one that is wrong, revoked or expired.")),
    OpenAPIRefusal(
      status: "403", name: "Denied",
      text: LocalizedText(
        zh: "PERMISSION_DENIED：凭证有效，但无权调用，或对象不在其范围内。",
        en: "PERMISSION_DENIED: the caller may not call this, or not for this object.")),
    OpenAPIRefusal(
      status: "404", name: "NotFound",
      text: LocalizedText(
        zh: "NOT_FOUND：对象不存在，或调用方无权知道。",
        en: "NOT_FOUND: there is no such object, or none that the caller may know of.")),
    OpenAPIRefusal(
      status: "405", name: "VerbNotAllowed",
      text: LocalizedText(
        zh: "UNIMPLEMENTED（VERB_NOT_ALLOWED）：该地址不支持此 HTTP 方法，见 Allow。",
        en: "UNIMPLEMENTED (VERB_NOT_ALLOWED): the path takes the HTTP methods in Allow only."),
      fields: ["Allow"]),
    OpenAPIRefusal(
      status: "408", name: "BodyTooSlow",
      text: LocalizedText(
        zh: "DEADLINE_EXCEEDED（BODY_TOO_SLOW）：请求体上传超时，未做任何更改。",
        en: "DEADLINE_EXCEEDED (BODY_TOO_SLOW): the body took too long; nothing was done.")),
    OpenAPIRefusal(
      status: "409", name: "Conflict",
      text: LocalizedText(
        zh: "ALREADY_EXISTS：请求编号已用于别的内容；ABORTED：数据已被他人修改，请重新读取。",
        en: "ALREADY_EXISTS: the request id was used with other content; ABORTED: the object has "
          + "changed, read it again.")),
    OpenAPIRefusal(
      status: "413", name: "TooLarge",
      text: LocalizedText(
        zh: "RESOURCE_EXHAUSTED（MESSAGE_TOO_LARGE）：消息超过长度上限，请分批发送。",
        en: "RESOURCE_EXHAUSTED (MESSAGE_TOO_LARGE): a message is too long; send it in parts.")),
    OpenAPIRefusal(
      status: "415", name: "ContentUnsupported",
      text: LocalizedText(
        zh: "INVALID_ARGUMENT：请求体的类型或压缩方式不受支持。",
        en: "INVALID_ARGUMENT: the type or the compression of the body is not supported.")),
    OpenAPIRefusal(
      status: "429", name: "LimitReached",
      text: LocalizedText(
        zh: "RESOURCE_EXHAUSTED：已达限额，未做任何更改，请稍后重试。",
        en: "RESOURCE_EXHAUSTED: a limit is reached and nothing was done; retry later."),
      fields: ["Retry-After", "RateLimit-Policy", "RateLimit"]),
    OpenAPIRefusal(
      status: "503", name: "Unavailable",
      text: LocalizedText(
        zh: "UNAVAILABLE：服务暂不可用，请稍后用同一请求编号重试。",
        en: "UNAVAILABLE: the service cannot be reached; retry with the same request id."),
      fields: ["Retry-After"]),
    OpenAPIRefusal(
      status: "504", name: "TooLate",
      text: LocalizedText(
        zh: "DEADLINE_EXCEEDED：超时，结果未知，请用同一请求编号重试。",
        en: "DEADLINE_EXCEEDED: the outcome is unknown; retry with the same request id.")),
    OpenAPIRefusal(
      status: "default", name: "Error",
      text: LocalizedText(
        zh: "调用失败；HTTP 状态由状态码决定。",
        en: "The call failed; the HTTP status follows from the code.")),
  ]
}

/// The texts of the OpenAPI document that are not the contracts'.
enum OpenAPITexts {
  static let success = LocalizedText(zh: "调用成功。", en: "The call succeeded.")
  static let apiKey = LocalizedText(
    zh: "合作平台或终端的密钥。", en: "Key of a platform partner or of a kiosk.")
  static let certificate = LocalizedText(
    zh: "合作平台的客户端证书。", en: "Client certificate of a platform partner.")
  static let bearer = LocalizedText(
    zh: "工会人员或会员的会话，或签名令牌（JWT）。",
    en: "Session of union staff or of a member, or a signed token (JWT).")

  static let lines = LocalizedText(
    zh: "每行一条消息；应答开始之后才失败的调用，最后一行为 `error`。",
    en: "One line a message; the last line of a call that fails after its response began is the "
      + "`error`.")
  static let array = LocalizedText(
    zh: "每个元素一条消息；应答开始之后才失败的调用，最后一个元素为 `{\"error\":…}`。",
    en: "One element a message; the last element of a call that fails after its response began is "
      + "`{\"error\":…}`.")
  static let events = LocalizedText(
    zh: "每个事件一条消息：`data:` 为消息的 JSON，`id:` 为消息的 `cursor`（如有）。应答开始之后才失败的调用，"
      + "以 `event: error` 结束，其 `data:` 为 google.rpc.Status 的 JSON。以冒号开头的行是注释。",
    en: "One event a message: `data:` is the message as JSON, `id:` its `cursor`, if it has one. A "
      + "call that fails after its response began ends with `event: error`, whose `data:` is a "
      + "google.rpc.Status as JSON. Lines that start with a colon are comments.")
  static let lastEventID = LocalizedText(
    zh: "最后收到的事件的 `id`，从其后继续；优先于查询参数 `cursor`。浏览器的 EventSource 重连时会自动发送。",
    en: "The `id` of the last event that was received: the stream goes on behind it. It overrides "
      + "the query's `cursor`. A browser's EventSource sends it when it reconnects.")

  static let about = LocalizedText(
    zh: """
      工会吸纳劳动者入会、运营服务站点等所用的接口。每个方法都在同一地址以 gRPC、gRPC-Web 和 JSON 提供。\
      各方法与字段的说明出自接口定义，为英文。

      JSON 采用 proto3 映射：写出小驼峰名称，两种写法都能读；未知字段被拒绝；64 位整数为字符串；取默认值的\
      字段不写出。

      请求流为逐行的 JSON（application/x-ndjson）。应答流按 `accept`：逐行的 {"result":…}（默认）、\
      事件（text/event-stream）或一个数组（application/json）；应答开始之后才失败的调用，以最后的 \
      {"error":…} 说明。

      错误为 google.rpc.Status：`code` 是 gRPC 状态码，`details` 中有 ErrorInfo（`reason` 与 \
      `domain`）、列出每个错误字段的 BadRequest、可重试时的 RetryInfo，以及按 `accept-language` 的 LocalizedMessage\
      （默认 zh-CN，可选 en）。
      """,
    en: """
      Trade unions enroll workers, run service points and more. Every method is served as gRPC, \
      gRPC-Web and JSON at one address.

      JSON is the proto3 mapping: camelCase names are written, both spellings are read, unknown \
      fields are refused, 64-bit integers are strings, fields with their default value are left out.

      A stream of requests is sent as lines of JSON (application/x-ndjson). A stream of \
      responses comes as `accept` prefers: lines of {"result":…} (the default), events \
      (text/event-stream), or one array (application/json); a call that fails after its response \
      began says so in its last word, {"error":…}.

      Errors are google.rpc.Status: `code` is gRPC's, `details` hold an ErrorInfo with `reason` \
      and `domain`, a BadRequest that names every wrong field, a RetryInfo where a retry helps, \
      and a LocalizedMessage by `accept-language` (zh-CN by default, en).
      """)
}
