import Protobuf
public import RPC

/// The form in which a caller is told the names of fields. Source: google/rpc/error_details.proto,
/// `BadRequest.FieldViolation.field`.
public enum FieldNames: Sendable, Hashable {
  /// As in the contract: `application.resident_id`.
  case contract
  /// As in JSON: `application.residentId`.
  case json

  /// Metadata key by which the gateway's JSON face asks for JSON names on behalf of its callers.
  public static let metadataKey = "field-names"
  /// The key's value for ``json``.
  public static let jsonValue = "json"

  /// Returns the failure with its field's name in this form.
  func renamed(_ failure: FieldFailure) -> FieldFailure {
    guard self == .json, failure.field.contains("_") else { return failure }
    var failure = failure
    failure.field = JSONName.of(failure.field)
    return failure
  }
}

extension ServerContext {
  /// The form of field names that the caller asked for.
  public var fieldNames: FieldNames {
    FieldNames(askedIn: metadata)
  }
}

extension FieldNames {
  /// The form that a request's metadata asks for.
  init(askedIn metadata: Metadata) {
    self = metadata[text: Self.metadataKey] == Self.jsonValue ? .json : .contract
  }
}
