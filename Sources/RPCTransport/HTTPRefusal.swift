import RPC

/// The response to a request that no handler gets: a status in the JSON form of
/// `google.rpc.Status`, which clients of the gateway expect of any failure.
struct HTTPRefusal {
  private let status: Int
  let body: String

  private init(_ status: Int, code: Int, zh: String, en: String) {
    self.status = status
    body = "{\"code\":\(code),\"message\":\"\(zh) \(en)\",\"details\":[]}"
  }

  var head: HeaderList {
    [
      ":status": "\(status)", "content-type": "application/json",
      "content-length": "\(body.utf8.count)",
    ]
  }

  static let malformed = HTTPRefusal(
    400, code: 3, zh: "请求不符合 HTTP/1.1。", en: "The request is not valid HTTP/1.1.")
  static let headersTooLong = HTTPRefusal(
    431, code: 8, zh: "请求头过长。", en: "The header of the request is too long.")
  static let needsHTTP2 = HTTPRefusal(
    505, code: 12, zh: "gRPC 须使用 HTTP/2。", en: "gRPC needs HTTP/2.")
}
