import Testing

@testable import RPC

@Suite("When parts of large messages are decompressed")
struct DecompressionPaceTests {
  @Test("parts of one loop are 200 µs apart, however many connections wait for theirs")
  func spacing() {
    let pace = DecompressionPace()
    let now = Moment.now
    let delays = (0..<4).map { _ in pace.delay(at: now) }
    #expect(delays == [200, 400, 600, 800].map { .microseconds($0) })
    #expect(pace.delay(at: now + .microseconds(500)) == .microseconds(500))
    // Time in which nobody asked is not saved.
    #expect(pace.delay(at: now + .seconds(1)) == .microseconds(200))
  }
}
