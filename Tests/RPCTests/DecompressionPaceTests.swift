import Testing

@testable import RPC

@Suite("When parts of large messages are decompressed")
struct DecompressionPaceTests {
  @Test("parts are 200 µs apart per loop, however many connections wait")
  func spacing() {
    let pace = DecompressionPace()
    let now = Moment.now
    let delays = (0..<4).map { _ in pace.delay(at: now) }
    #expect(delays == [200, 400, 600, 800].map { .microseconds($0) })
    #expect(pace.delay(at: now + .microseconds(500)) == .microseconds(500))
    // Unused time is not saved up.
    #expect(pace.delay(at: now + .seconds(1)) == .microseconds(200))
  }
}
