/// What executables say of the product that they belong to.
public enum Product {
  /// The version, as `--version` and the metric `yijia_build_info` show it.
  public static let version = "1.0.0"
}
