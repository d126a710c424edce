/// The `# HELP` lines of the suite's metrics.
enum MetricHelp {
  private static let texts = [
    "feed_lag_events": "Events of the feed that a consumer has not read yet.",
    "feed_lag_seconds": "Age of the oldest event that a consumer has not read yet.",
    "gateway_calls_total": "Calls by method and kind of caller.",
    "gateway_member_codes_total": "Members' one-time codes by outcome: delivered or failed.",
    "gateway_retries_total": "Attempts of calls to a service after the first.",
    "grpc_client_attempt_duration_seconds": "Time of one attempt of an outgoing call.",
    "grpc_client_attempt_rcvd_total_compressed_message_size_bytes":
      "Bytes of the messages received in one attempt.",
    "grpc_client_attempt_sent_total_compressed_message_size_bytes":
      "Bytes of the messages sent in one attempt.",
    "grpc_client_attempt_started_total": "Attempts of outgoing calls that began.",
    "grpc_client_call_duration_seconds": "Time of an outgoing call with all its attempts.",
    "grpc_server_call_duration_seconds": "Time from the request's head to the response's end.",
    "grpc_server_call_rcvd_total_compressed_message_size_bytes":
      "Bytes of the messages received in one call.",
    "grpc_server_call_sent_total_compressed_message_size_bytes":
      "Bytes of the messages sent in one call.",
    "grpc_server_call_started_total": "Calls that began.",
    "otlp_spans_dropped_total": "Spans that were not exported, as the queue was full.",
    "otlp_spans_sent_total": "Spans that the collector has accepted.",
    "process_cpu_seconds_total": "CPU time of the process, user and system.",
    "process_max_fds": "Most file descriptors that the process may open.",
    "process_open_fds": "File descriptors that the process has open.",
    "process_resident_memory_bytes": "Memory of the process in RAM.",
    "process_start_time_seconds": "Start of the process, in seconds since 1970.",
    "storage_commits_total": "Commits of the store's writer.",
    "storage_writes_total": "Writes that shared these commits.",
    "storage_writes_waiting": "Writes in the queue of the store's writer.",
    "yijia_build_info": "Always 1; its label is the version of the executable.",
  ]

  /// Returns the line of a metric, or nothing if it has no text.
  static func line(_ name: String) -> String {
    texts[name].map { "# HELP \(name) \($0)\n" } ?? ""
  }
}
