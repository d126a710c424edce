import RPC

/// A stream that answers each row, in the order of the rows.
enum RowStream {
  /// Rows in flight; the contracts allow 1,000.
  private static let windowRows = 500

  /// Sends the rows, and hands over each response with the index of its row.
  static func exchange<Request: WireMessage, Response: WireMessage>(
    _ rows: [Request], on call: BidirectionalCall<Request, Response>,
    _ take: (_ index: Int, _ response: Response) throws -> Void
  ) async throws {
    let window = Window(windowRows)
    async let sending: Void = send(rows, on: call, window: window)
    // Where the stream fails, nobody goes on waiting for a place in it.
    defer { window.finish() }
    var index = 0
    for try await response in call.responses {
      guard index < rows.count else { break }
      try take(index, response)
      index += 1
      window.open()
    }
    window.finish()
    try await sending
  }

  private static func send<Request: WireMessage, Response: WireMessage>(
    _ rows: [Request], on call: BidirectionalCall<Request, Response>, window: Window
  ) async throws {
    for row in rows {
      guard await window.wait() else { return }
      try await call.send(row)
    }
    try await call.finishSending()
  }
}
