import Synchronization

// Selects the attempt that the call is committed to.
extension ClientCall {
  /// Returns the attempt that the call is committed to; waits until there is one.
  /// - Throws: `RPCError` if the call fails without one.
  func settled() async throws -> ClientExchange {
    while true {
      let known = try state.withLock { state throws(RPCError) in
        if let settled = state.settled { return Optional(settled) }
        if let failure = state.failure { throw failure }
        return nil
      }
      if let known { return known }
      try await race(isPatient: true)
    }
  }

  /// Follows up attempts that have failed already. For a writer, which cannot wait for the
  /// response.
  func wait() async throws { try await race(isPatient: false) }

  /// Follows up the attempts until the call is committed to one or, if `isPatient` is false, until
  /// none has failed. One task at a time does this; others wait for it.
  private func race(isPatient: Bool) async throws {
    let isFirst = state.withLock { state in
      defer { state.isRacing = true }
      return !state.isRacing
    }
    guard isFirst else { return await join() }
    defer {
      let joined = state.withLock { state in
        state.isRacing = false
        defer { state.joined = [] }
        return state.joined
      }
      for waiter in joined { waiter.resume() }
    }
    if case .hedge = plan.execution {
      if isPatient { try await hedge() }
    } else {
      try await retry(isPatient: isPatient)
    }
  }

  private func join() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if !state.isRacing { return true }
          state.joined.append(continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      cancel()
    }
  }

  // MARK: - Retries

  private func retry(isPatient: Bool) async throws {
    while let attempt = state.withLock({ $0.live.first }) {
      let failure = await attempt.exchange.failure(isPatient: isPatient)
      if let failure {
        try await follow(up: failure, of: attempt.number)
      } else {
        if isPatient { answered(attempt) }
        return
      }
    }
  }

  private func answered(_ attempt: Attempt) {
    let others = state.withLock { state -> [Attempt] in
      guard state.settled == nil else { return [] }
      _ = state.attempts.apply(.answered(attempt.number))
      return state.settle(attempt.exchange)
    }
    for other in others { other.exchange.giveUp() }
  }

  /// Follows up a failed attempt: starts the next one after its backoff, or settles the call.
  /// - Throws: `RPCError` if the call ends between two attempts.
  func follow(up failure: AttemptFailure, of number: Int) async throws {
    var (failure, number) = (plan.dated(failure), number)
    while true {
      var action = after(failure, number)
      if case .schedule(let wait) = action {
        try await pause(wait)
        action = state.withLock { $0.attempts.apply(.due(isThrottled: false)) }
      }
      guard case .start(let previous, _) = action else {
        return settle(action, failure.error)
      }
      let (failed, next) = state.withLock { state in
        let failed = state.live.first { $0.number == number }
        state.live.removeAll { $0.number == number }
        if let backend = failed?.exchange.backend { state.failedBackends.append(backend) }
        return (failed, state.attempts.count)
      }
      // It failed by its head alone; the rest of that response may go on for ever.
      failed?.exchange.giveUp(failure.error)
      number = next
      do {
        return try await launch(number, previous: previous)
      } catch let next as AttemptFailure {
        failure = plan.dated(next)
      }
    }
  }

  private func after(_ failure: AttemptFailure, _ number: Int) -> AttemptState.Action {
    state.withLock { state in
      if Task.isCancelled || state.failure != nil { return .settle(number) }
      return plan.apply(failure, of: number, to: &state.attempts)
    }
  }

  /// Makes the outcome of a failed attempt that of the call.
  private func settle(_ action: AttemptState.Action, _ error: RPCError) {
    guard case .settle(let number) = action else { return }
    let others = state.withLock { state -> [Attempt] in
      guard state.settled == nil else { return [] }
      // A call that was cancelled in the meantime ends so, whatever the outcome of its attempt.
      if state.failure == nil, let attempt = state.live.first(where: { $0.number == number }) {
        return state.settle(attempt.exchange)
      }
      return state.fail(error)
    }
    for other in others { other.exchange.giveUp() }
  }

  /// Ends the call between two attempts.
  private func fail(_ error: RPCError) {
    let others = state.withLock { $0.settled == nil ? $0.fail(error) : [] }
    for other in others { other.exchange.giveUp() }
  }

  private func pause(_ wait: Duration) async throws {
    let pause = Task { try await plan.pause(wait) }
    let isCancelled = state.withLock { state in
      state.pause = pause
      return state.failure != nil
    }
    if isCancelled { pause.cancel() }
    do {
      try await withTaskCancellationHandler {
        try await pause.value
      } onCancel: {
        pause.cancel()
      }
    } catch {
      let error = error as? RPCError ?? RPCError(.cancelled, "the call was cancelled")
      state.withLock { $0.failure = $0.failure ?? error }
      throw error
    }
  }

  /// Starts an attempt and sends the buffered messages.
  /// - Throws: `AttemptFailure` if its exchange cannot be opened.
  func launch(_ number: Int, previous: Int) async throws {
    let backends = state.withLock { $0.failedBackends }
    do {
      try await plan.open(
        channel, attempt: number, previous: previous, after: backends
      ) { client in
        let others = self.state.withLock { state -> [Attempt]? in
          guard state.settled == nil, state.failure == nil else { return nil }
          for framed in state.kept { client.exchange.sendBody(framed) }
          if state.isFinished { client.exchange.sendEnd(.none) }
          state.live.append(Attempt(number: number, exchange: client))
          return state.keptBytes > self.plan.retryBytesMax ? state.settle(client) : []
        }
        guard let others else { return client.exchange.reset(.cancel) }
        for other in others { other.exchange.giveUp() }
      }
    } catch let error as RPCError {
      throw AttemptFailure(error)
    }
  }

  // MARK: - Hedging

  private enum Event: Sendable {
    case begun(Attempt?)
    case answered(Attempt)
    case failed(Int, AttemptFailure)
    case due(generation: Int)
  }

  private func hedge() async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      defer { group.cancelAll() }
      var generation = 0
      func arm(_ wait: Duration, _ group: inout ThrowingTaskGroup<Event, any Error>) {
        generation += 1
        let current = generation
        let time = plan.deadline.map { min($0.remaining, wait) } ?? wait
        // The wait itself is wanted: the hedging delay, or the server's pushback.
        let pause = Task { try await Task.sleep(for: time) }
        let isCancelled = state.withLock { state in
          state.pause = pause
          return state.failure != nil
        }
        if isCancelled { pause.cancel() }
        group.addTask {
          await withTaskCancellationHandler {
            _ = await pause.result
          } onCancel: {
            pause.cancel()
          }
          return .due(generation: current)
        }
      }
      let (live, first) = state.withLock { ($0.live, $0.attempts.firstSchedule) }
      for attempt in live { group.addTask { await self.watch(attempt) } }
      if let first { arm(first, &group) }
      while let event = try await group.next() {
        if state.withLock({ $0.settled != nil || $0.failure != nil }) { return }
        let action: AttemptState.Action
        var error = RPCError(.internalError, "no attempt was made")
        switch event {
        case .begun(let attempt):
          if let attempt { group.addTask { await self.watch(attempt) } }
          continue
        case .answered(let attempt): return answered(attempt)
        case .failed(let number, let failure):
          action = after(failure, number)
          error = failure.error
        case .due(let due):
          guard due == generation else { continue }
          if plan.deadline?.hasPassed == true { return fail(.deadlinePassed) }
          action = state.withLock {
            $0.attempts.apply(.due(isThrottled: plan.throttle?.isOpen == false))
          }
        }
        switch action {
        case .none: break
        case .schedule(let wait): arm(wait, &group)
        case .start(let previous, let next):
          let number = state.withLock { $0.attempts.count }
          group.addTask { await self.begin(number, previous: previous) }
          if let next { arm(next, &group) }
        case .settle: return settle(action, error)
        }
      }
    }
  }

  private func begin(_ number: Int, previous: Int) async -> Event {
    do {
      try await launch(number, previous: previous)
    } catch {
      let failure = error as? AttemptFailure
      return .failed(
        number, failure ?? AttemptFailure(RPCError(.cancelled, "the call was cancelled")))
    }
    return .begun(state.withLock { $0.live.first { $0.number == number } })
  }

  private func watch(_ attempt: Attempt) async -> Event {
    guard let failure = await attempt.exchange.failure(isPatient: true) else {
      return .answered(attempt)
    }
    return .failed(attempt.number, failure)
  }
}

extension ClientExchange {
  /// Returns why the attempt failed before its response began. Nil if the response has begun or, if
  /// `isPatient` is false, if the outcome is not known yet. Safe to call from any task.
  fileprivate func failure(isPatient: Bool) async -> AttemptFailure? {
    await exchange.onLoop {
      guard isPatient else { return inbox.attemptFailure }
      do throws(AttemptFailure) {
        try await waitForAnswer()
        return nil
      } catch {
        return error
      }
    }
  }
}
