internal import CNghttp2

// What only a client asks.
extension Session {
  /// Whether the request of a stream has been moved out: until then no server can have seen it.
  public func hasLeft(_ stream: StreamKey) -> Bool {
    guard unsafe handle != nil else { return true }
    return unsafe nghttp2_session_get_stream_user_data(handle, stream.id) != nil
  }
}
