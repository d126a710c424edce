/// Forwards exchanges raw: bodies, trailers and resets go through untouched, with backpressure and
/// cancellation both ways.
public enum ExchangeProxy {
  /// How a forwarded exchange ended.
  public enum Outcome: Sendable, Hashable {
    /// The response went through to its end.
    case completed
    /// The caller gave up, or its deadline passed.
    case callerGaveUp
    /// The other side failed; the caller was told this.
    case failed(RPCError)
    /// The other side never saw the exchange and nothing was sent to the caller: forward it again,
    /// if nothing of the request's body was taken yet, or answer with the error.
    case unprocessed(RPCError)
  }

  /// Pumps a server's exchange into a client's until both have ended.
  public static func forward(_ server: ServerExchange, to client: ClientExchange) async -> Outcome {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await pumpRequest(server, to: client) }
      let outcome = await pumpResponse(client, to: server)
      // The response is complete: what is left of the request is of no use.
      group.cancelAll()
      return outcome
    }
  }

  private static func pumpRequest(_ server: ServerExchange, to client: ClientExchange) async {
    do {
      while let chunk = try await server.nextChunk() { try await client.send(chunk) }
      await client.finish()
    } catch {
      // Either the caller gave up, then the other side hears it; or that has ended already.
      await client.reset(.cancel)
    }
  }

  private static func pumpResponse(
    _ client: ClientExchange, to server: ServerExchange
  ) async -> Outcome {
    var headWasSent = false
    do {
      let head = try await client.head()
      if await client.isTrailersOnly() {
        await server.sendHead(head, endsStream: true)
        return .completed
      }
      await server.sendHead(head)
      headWasSent = true
      while let chunk = try await client.nextChunk() {
        do {
          try await server.send(chunk)
        } catch {
          await client.reset(.cancel)
          return .callerGaveUp
        }
      }
      await server.finish(trailers: await client.trailers())
      return .completed
    } catch {
      let error = error as? RPCError ?? RPCError(.internalError, "\(error)")
      await client.reset(.cancel)
      if Task.isCancelled { return .callerGaveUp }
      if !headWasSent, await client.wasUnprocessed() { return .unprocessed(error) }
      await server.fail(error)
      return .failed(error)
    }
  }
}

extension ClientExchange {
  /// Whether the response head was all of the response.
  package func isTrailersOnly() async -> Bool {
    await exchange.onLoop { inbox.isTrailersOnly }
  }
}
