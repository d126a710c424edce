import Logging

/// A log whose lines a witness records: `notice: the message`.
struct WitnessedLog: LogHandler {
  let witness: Witness
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(_ witness: Witness) { self.witness = witness }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { witness.note("\(event.level): \(event.message)") }
}
