/// The records of CSV text (RFC 4180); a line break is LF, CRLF or CR.
struct CSVText {
  struct Record: Equatable {
    /// As a spreadsheet counts rows: from 1, blank ones too.
    let number: Int
    let cells: [String]
  }

  /// Text that is no CSV, with the row where the cell begins.
  enum Fault: Error, Equatable {
    /// A quotation mark opens a cell that never ends.
    case unclosedQuote(row: Int)
    /// A quotation mark inside a cell that does not begin with one, or text after the closing one.
    case strayQuote(row: Int)
  }

  /// Those with anything in them, in order.
  private(set) var records: [Record] = []
  private var cells: [String] = []
  private var cell: [UInt8] = []
  /// Whether the cell had quotation marks around it, which are closed.
  private var wasQuoted = false
  private var number = 1

  private static let (quote, lineFeed, carriageReturn) = (
    UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r")
  )

  init(_ text: String, separator: UInt8) throws(Fault) {
    let bytes = Array(text.utf8)
    var next = 0
    while next < bytes.count {
      let byte = bytes[next]
      next += 1
      switch byte {
      case Self.quote:
        guard cell.isEmpty, !wasQuoted else { throw .strayQuote(row: number) }
        guard let end = quoted(bytes, from: next) else { throw .unclosedQuote(row: number) }
        next = end
      case separator: endCell()
      case Self.carriageReturn where next < bytes.count && bytes[next] == Self.lineFeed: continue
      case Self.lineFeed, Self.carriageReturn: endRecord()
      default:
        guard !wasQuoted else { throw .strayQuote(row: number) }
        cell.append(byte)
      }
    }
    if !(cell.isEmpty && cells.isEmpty) { endRecord() }
  }

  /// Takes the inside of a quoted cell; returns where it goes on, or nil where it never ends.
  private mutating func quoted(_ bytes: [UInt8], from start: Int) -> Int? {
    var next = start
    while next < bytes.count {
      if bytes[next] != Self.quote {
        cell.append(bytes[next])
        next += 1
      } else if next + 1 < bytes.count, bytes[next + 1] == Self.quote {
        cell.append(Self.quote)
        next += 2
      } else {
        wasQuoted = true
        return next + 1
      }
    }
    return nil
  }

  private mutating func endCell() {
    cells.append(String(decoding: cell, as: UTF8.self))
    cell.removeAll(keepingCapacity: true)
    wasQuoted = false
  }

  private mutating func endRecord() {
    endCell()
    if cells.contains(where: { !$0.isEmpty }) {
      records.append(Record(number: number, cells: cells))
    }
    cells = []
    number += 1
  }
}
