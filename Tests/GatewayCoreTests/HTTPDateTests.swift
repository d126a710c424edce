import Foundation
import RPC
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("The date of a response")
struct HTTPDateTests {
  @Test("is written in HTTP's one form")
  func form() {
    for (second, text) in [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
      (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] as [(Int64, String)] {
      #expect(HTTPDate.text(of: second) == text)
    }
  }

  @Test("follows the clock")
  func clock() {
    let now = Shared(Date(timeIntervalSince1970: 784_111_777))
    let date = HTTPDate(Clock { now.value })
    #expect(date.now == "Sun, 06 Nov 1994 08:49:37 GMT")
    now.update { $0.addTimeInterval(0.5) }
    #expect(date.now == "Sun, 06 Nov 1994 08:49:37 GMT")
    now.update { $0.addTimeInterval(1) }
    #expect(date.now == "Sun, 06 Nov 1994 08:49:38 GMT")
  }

  @Test("is the service's own if that has one")
  func own() {
    var head: HeaderList = [":status": "200", "date": "Sun, 06 Nov 1994 08:49:37 GMT"]
    head.addDate()
    #expect(head.only("date") == "Sun, 06 Nov 1994 08:49:37 GMT")
  }
}
