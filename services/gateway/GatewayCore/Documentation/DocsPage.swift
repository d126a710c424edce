import ServiceKit

/// The documentation page: one HTML text, which loads `/openapi.json` and nothing from other hosts.
enum DocsPage {
  /// - Parameter body: The elements between the head and the script.
  static func html(
    title: String, body: String, script: String = "", in language: Language
  ) -> String {
    """
    <!doctype html>
    <html lang="\(language.tag)">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(title)</title>
    <style>\(style)</style>
    </head>
    <body>
    \(body)
    \(script.isEmpty ? "" : "<script>\(script)</script>")
    </body>
    </html>

    """
  }

  static func api(in language: Language) -> String {
    html(title: "驿家 Yijia API", body: apiBody, script: script, in: language)
  }

  private static let apiBody = """
    <header>
      <h1>驿家 Yijia API</h1>
      <input id="search" type="search" autocomplete="off">
      <nav><a href="/docs/policy" data-t="policy"></a><a href="/openapi.json">OpenAPI 3.1</a>
      <button id="language" type="button"></button></nav>
    </header>
    <main class="api"><aside id="list"></aside><article id="detail"><p>…</p></article></main>
    <noscript><p>此页需要 JavaScript；接口说明也在 <a href="/openapi.json">openapi.json</a>。<br>
    This page needs JavaScript; <a href="/openapi.json">openapi.json</a> says the same.</p>
    </noscript>
    """

  static let style = """
    :root{color-scheme:light dark;--line:#8884;--soft:#8882;--mark:#b3261e}
    *{box-sizing:border-box}
    body{margin:0;font:15px/1.55 system-ui,"Noto Sans CJK SC","PingFang SC",
      "Microsoft YaHei",sans-serif}
    header{display:flex;gap:1em;align-items:center;padding:.5em 1em;
      border-bottom:1px solid var(--line);position:sticky;top:0;
      background:Canvas;z-index:1;flex-wrap:wrap}
    header h1{font-size:1.1em;margin:0}
    header input{flex:1;min-width:12em;padding:.35em .6em;font:inherit}
    nav{display:flex;gap:1em;align-items:center}
    button{font:inherit;padding:.2em .7em}
    main.api{display:grid;grid-template-columns:22em 1fr}
    aside{height:calc(100vh - 3.4em);overflow:auto;border-right:1px solid var(--line);
      position:sticky;top:3.4em;padding:.5em}
    aside h2{font-size:.9em;margin:.8em .3em .2em;opacity:.7}
    aside a{display:block;padding:.15em .4em;border-radius:4px;text-decoration:none;color:inherit}
    aside a:hover,aside a.on{background:var(--soft)}
    article{padding:1em 1.5em 4em;max-width:60em;min-width:0}
    main.plain{padding:1em 1.5em;overflow-x:auto}
    code,pre{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em}
    pre{background:var(--soft);padding:.8em;overflow:auto;border-radius:6px}
    .text{white-space:pre-line}
    .chip{display:inline-block;border:1px solid var(--line);border-radius:1em;padding:0 .6em;
      margin-right:.4em;font-size:.9em}
    .verb{font-weight:600}
    table{border-collapse:collapse;width:100%}
    th,td{border-bottom:1px solid var(--line);padding:.3em .5em;text-align:left;vertical-align:top}
    th{font-size:.88em}
    td.no{opacity:.35}
    details{border-left:2px solid var(--line);padding-left:.7em;margin:.2em 0}
    summary{cursor:pointer}
    .hint{opacity:.7}
    @media(max-width:50em){main.api{display:block}aside{height:auto;max-height:40vh;position:static;
      border-right:0;border-bottom:1px solid var(--line)}}
    """
}
