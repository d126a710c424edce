import ArgumentParser
import Foundation
import GatewayV1
import QRCode
import RPC
import ServiceKit

struct SignIn: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-in",
    abstract: "Sign in as a member of staff, and write a connection file with the session.",
    discussion: """
      Asks for the password; for the six digits of the authenticator, where one is enrolled; and \
      for a new password, where this one is temporary. Where standard input is no terminal, each \
      is a line of it.
      Other commands then act as you with --connection FILE. Two people who check each other have \
      a file each.

      Examples:
        yijia sign-in zhang.san --to zhang.san.json
        yijia sign-in zhang.san --gateway yijia.example:443 --to zhang.san.json
        yijia organizations list --connection zhang.san.json
      """)

  @Argument(help: "The user name.")
  var userName: String

  @Option(help: "The connection file to write.")
  var to: String

  @Option(help: "Connection file that says where the gateway is, unless --gateway does.")
  var connection = ".dev/connection.json"

  @Option(help: "The gateway, HOST:PORT.")
  var gateway: String?

  @Option(help: "Authority of its certificate, PEM. [default: the system's; with --gateway]")
  var caFile: String?

  func run() async throws {
    try await explained {
      try Arguments.requireWritable(to)
      var file = try place()
      let password = try SecretInput.read(zh: "密码", en: "Password")
      let session = try await file.calling(nil) { try await signIn(password, $0) }
      file.staffToken = session.token
      if session.passwordTemporary {
        Terminal.note(
          Terminal.text(
            zh: "这是临时密码，请设置自己的密码。", en: "This password is temporary: choose your own."))
        try await Self.changePassword(password, file)
      }
      try file.write(to)
      let subject = session.session?.subject ?? userName
      let end = session.session?.expireTime.map { PartnerKeys.text($0) }
      Terminal.say(
        Terminal.text(
          zh: "已登录：\(subject)\(end.map { "，有效至 \($0)" } ?? "")",
          en: "signed in as \(subject)\(end.map { ", until \($0)" } ?? "")"))
      Terminal.note(
        Terminal.text(
          zh: "其他命令加上 --connection \(to) 就以您的身份执行；此文件须保密",
          en: "--connection \(to) lets other commands act as you; it is a secret"))
    }
  }

  /// Where the gateway is, and nobody's credentials.
  private func place() throws -> ConnectionFile {
    if let gateway {
      let authority = caFile.map { URL(filePath: $0).absoluteURL.standardized.path }
      return ConnectionFile(gateway: gateway, caFile: authority)
    }
    let known = try ConnectionFile.read(connection)
    return ConnectionFile(
      gateway: known.gateway, caFile: known.caFile, serverName: known.serverName)
  }

  private func signIn(_ password: String, _ client: SuiteClient) async throws -> SignInResponse {
    var request = SignInRequest()
    request.userName = userName
    request.password = password
    do {
      return try await client.sessions.signIn(request, options: client.options)
    } catch let error as RPCError where Explanation.reason(of: error) == "TOTP_REQUIRED" {
      request.totpCode = try SecretInput.read(
        zh: "身份验证器上的六位数字", en: "Six digits of the authenticator")
      return try await client.sessions.signIn(request, options: client.options)
    }
  }

  fileprivate static func changePassword(_ password: String, _ file: ConnectionFile) async throws {
    var request = ChangePasswordRequest()
    request.password = password
    request.newPassword = try SecretInput.readNew()
    let change = request
    _ = try await file.calling(.staff) {
      try await $0.sessions.changePassword(change, options: $0.options)
    }
  }
}

struct SignOut: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-out",
    abstract: "End the session of a connection file.",
    discussion: "Example: yijia sign-out --connection zhang.san.json")

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await connection.with(.staff) { client in
      _ = try await client.sessions.signOut(SignOutRequest(), options: client.options)
      Terminal.say(Terminal.text(zh: "已退出登录", en: "signed out"))
    }
  }
}

struct Password: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Change the password of who signed in; their other sessions end.",
    discussion: "Example: yijia password --connection zhang.san.json")

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await explained {
      let file = try ConnectionFile.read(connection.connection)
      let password = try SecretInput.read(zh: "当前密码", en: "Current password")
      try await SignIn.changePassword(password, file)
      Terminal.say(Terminal.text(zh: "密码已更改", en: "the password is changed"))
    }
  }
}

struct Authenticator: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Enroll an authenticator (TOTP), which signing in asks for from then on.",
    discussion: """
      Shows a QR code for the authenticator, and its secret; asks for the six digits that the
      authenticator then shows.
      Example: yijia authenticator --connection zhang.san.json
      """)

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await connection.with(.staff) { client in
      var request = EnrollTotpRequest()
      request.password = try SecretInput.read(zh: "密码", en: "Password")
      let made = try await client.sessions.enrollTotp(request, options: client.options)
      Terminal.show(try Symbol(made.uri))
      Terminal.say(made.secret)
      Terminal.say(made.uri)
      var confirm = ConfirmTotpRequest()
      confirm.totpCode = try SecretInput.read(
        zh: "身份验证器显示的六位数字", en: "Six digits that the authenticator shows")
      _ = try await client.sessions.confirmTotp(confirm, options: client.options)
      Terminal.say(
        Terminal.text(zh: "此后登录须用身份验证器", en: "the authenticator counts from now on"))
    }
  }
}
