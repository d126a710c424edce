// Runs calls through the interceptors and reports them to the observer.
extension ChannelPolicy {
  /// Runs the interceptors from `index` on, then `body`.
  private func intercepted(
    _ context: ClientContext, from index: Int = 0, _ body: () async throws -> Void
  ) async throws {
    guard index < interceptors.count else { return try await body() }
    try await interceptors[index].intercept(context) {
      try await self.intercepted(context, from: index + 1, body)
    }
  }

  func unary(
    _ channel: any Channel, _ method: MethodDescriptor, _ request: [UInt8],
    _ options: CallOptions, _ take: (UnaryAnswer) throws -> Void
  ) async throws {
    if interceptors.isEmpty {
      _ = try await observed(channel, plan(method, options), request, take)
      return
    }
    let context = ClientContext(method: method, options: options)
    var isAnswered = false
    try await intercepted(context) {
      let answer = try await observed(channel, plan(method, context.options), request, take)
      context.responseHeaders = answer.headers
      context.responseTrailers = answer.trailers
      isAnswered = true
    }
    if !isAnswered { throw Self.notCalled }
  }

  private func observed(
    _ channel: any Channel, _ plan: CallPlan, _ request: [UInt8],
    _ take: (UnaryAnswer) throws -> Void
  ) async throws -> UnaryAnswer {
    if case .hedge = plan.execution {
      // It reports its end itself.
      return try await begin(channel, plan, nil) { try $0.pack(request) }.collect(take)
    }
    do {
      let answer = try await channel.unary(plan, request)
      try take(answer)
      plan.observer?.callEnded(nil)
      return answer
    } catch {
      plan.observer?.callEnded(RPCError(ending: error))
      throw error
    }
  }

  /// Starts a streaming call. Its interceptors, if any, run in a task that lasts as long as the
  /// stream.
  func start(
    _ channel: some Channel, _ method: MethodDescriptor, _ options: CallOptions,
    _ request: @escaping @Sendable (CallPlan) throws -> [UInt8]?
  ) async throws -> ClientCall {
    if interceptors.isEmpty {
      return try await begin(channel, plan(method, options), nil, request)
    }
    let context = ClientContext(method: method, options: options)
    let end = CallEnd()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        end.runs(
          in: Task {
            await run(context, channel, end, request) { continuation.resume(with: $0) }
          })
      }
    } onCancel: {
      end.cancelChain()
    }
  }

  /// Runs the interceptors of a streaming call until it ends. It holds a reference to the call only
  /// while that begins, so that releasing the call still cancels it.
  private func run(
    _ context: ClientContext, _ channel: some Channel, _ end: CallEnd,
    _ request: @escaping @Sendable (CallPlan) throws -> [UInt8]?,
    _ opened: (Result<ClientCall, any Error>) -> Void
  ) async {
    var isOpen = false
    func open() async throws {
      opened(
        .success(try await begin(channel, plan(context.method, context.options), end, request)))
      isOpen = true
    }
    do {
      try await intercepted(context) {
        guard !isOpen else {
          throw RPCError(.internalError, "an interceptor called next again on a stream")
        }
        try await open()
        try await end.wait()
      }
      end.settle(nil)
      if !isOpen { opened(.failure(Self.notCalled)) }
    } catch {
      end.settle(error)
      if !isOpen { opened(.failure(error)) }
    }
  }

  private func begin(
    _ channel: some Channel, _ plan: CallPlan, _ end: CallEnd?,
    _ request: (CallPlan) throws -> [UInt8]?
  ) async throws -> ClientCall {
    let framed: [UInt8]?
    do {
      framed = try request(plan)
    } catch {
      plan.observer?.callEnded(RPCError(ending: error))
      throw error
    }
    return try await ClientCall.start(channel, plan, request: framed, end: end)
  }

  private static let notCalled = RPCError(
    .internalError, "an interceptor neither went on nor failed the call")
}

extension RPCError {
  /// Creates the status of a call that ended with `error`.
  init(ending error: any Error) {
    self =
      error as? RPCError
      ?? (error is CancellationError
        ? RPCError(.cancelled, "the task was cancelled")
        : RPCError(.unknown, "the call failed: \(error)"))
  }
}
