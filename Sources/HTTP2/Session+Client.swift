internal import CNghttp2

// Functions for clients only.
extension Session {
  /// Returns whether the request of a stream has left the session: until then no server can have
  /// seen it.
  public func hasLeft(_ stream: StreamKey) -> Bool {
    guard unsafe handle != nil else { return true }
    return unsafe nghttp2_session_get_stream_user_data(handle, stream.id) != nil
  }
}
