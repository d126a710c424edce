extension DocsPage {
  /// Loads the document, lists and searches its methods, and shows one at a time. All text of the
  /// document is inserted as text, never as HTML.
  static let script = #"""
    "use strict";
    const words = {
      zh: {search: "搜索方法、路径、说明…", policy: "权限表", other: "English", callers: "谁可调用",
        request: "请求", response: "应答", parameters: "参数", body: "请求体", example: "curl 示例",
        stream: "逐行的流", errors: "错误", none: "没有符合的方法。", nothing: "没有字段。",
        errorsText: "失败时为 google.rpc.Status：code 是 gRPC 状态码，details 中有原因 (reason)、" +
          "每个有误的字段、可重试时的等待时间，以及按 accept-language 的提示。",
        partner: "合作平台", kiosk: "终端", staff: "工会人员", member: "会员",
        anybody: "任何人（无需凭证）",
        viewer: "查看员起", clerk: "经办员起", administrator: "管理员", failed: "无法读取 openapi.json。"},
      en: {search: "Search methods, paths, text…", policy: "Policy", other: "中文",
        callers: "Who may call", request: "Request", response: "Response",
        parameters: "Parameters", body: "Body", example: "With curl",
        stream: "a stream of lines", errors: "Errors", none: "No method matches.",
        nothing: "No fields.",
        errorsText: "A failed call is a google.rpc.Status: code is gRPC's; details hold the " +
          "reason, every wrong field, when to retry, and a text by accept-language.",
        partner: "partner", kiosk: "kiosk", staff: "staff", member: "member",
        anybody: "anybody, without a credential",
        viewer: "viewer and above", clerk: "clerk and above", administrator: "administrator",
        failed: "openapi.json cannot be read."}
    };
    let language = localStorage.getItem("language") ||
      (document.documentElement.lang.startsWith("zh") ? "zh" : "en");
    let api = null, methods = [];
    const say = key => words[language][key] || key;
    const byId = id => document.getElementById(id);

    function make(name, attributes, ...children) {
      const node = document.createElement(name);
      for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
      for (const child of children.flat())
        if (child != null) node.append(child);
      return node;
    }

    const named = ref => ref.slice("#/components/schemas/".length);
    const resolved = schema =>
      schema && schema.$ref ? api.components.schemas[named(schema.$ref)] || {} : schema || {};

    function typeName(schema) {
      if (schema.$ref) return named(schema.$ref).split(".").pop();
      if (schema.type === "array") return typeName(schema.items) + "[]";
      if (schema.additionalProperties) return "{…: " + typeName(schema.additionalProperties) + "}";
      const type = Array.isArray(schema.type) ? schema.type[0] : schema.type || "any";
      return type + (schema.format ? " (" + schema.format + ")" : "");
    }

    function inner(schema) {
      if (schema.type === "array") return inner(schema.items);
      if (schema.additionalProperties) return inner(schema.additionalProperties);
      return schema.$ref ? schema : null;
    }

    function fields(schema, seen) {
      const whole = resolved(schema);
      if (whole.enum)
        return make("div", {class: "text"}, whole.description || whole.enum.join("\n"));
      const entries = Object.entries(whole.properties || {});
      if (!entries.length) return make("p", {class: "hint"}, say("nothing"));
      return make("div", {}, entries.map(([name, field]) => {
        const deeper = inner(field), key = deeper && deeper.$ref;
        const head = [make("code", {}, name), " ", make("span", {class: "hint"}, typeName(field)),
          field["x-one-of"] ? make("span", {class: "hint"}, " · oneof " + field["x-one-of"]) : null,
          make("div", {class: "text"}, field.description || "")];
        if (!key || seen.includes(key))
          return make("details", {open: ""}, make("summary", {}, head));
        const node = make("details", {}, make("summary", {}, head));
        node.addEventListener("toggle", () => {
          if (node.children.length === 1) node.append(fields(deeper, seen.concat(key)));
        });
        return node;
      }));
    }

    function sample(schema, depth) {
      const whole = resolved(schema);
      if (whole.enum) return whole.enum[1] || whole.enum[0];
      if (whole.type === "array") return depth > 3 ? [] : [sample(whole.items, depth + 1)];
      if (whole.format === "date-time") return "2026-11-21T08:00:00Z";
      const type = Array.isArray(whole.type) ? whole.type[0] : whole.type;
      if (type === "string") return whole.format ? "1" : "";
      if (type === "integer" || type === "number") return 1;
      if (type === "boolean") return true;
      const value = {}, chosen = {};
      if (depth > 3) return value;
      for (const [name, field] of Object.entries(whole.properties || {})) {
        const group = field["x-one-of"];
        if (group && chosen[group]) continue;
        if (group) chosen[group] = true;
        value[name] = sample(field, depth + 1);
      }
      return value;
    }

    function content(operation) {
      return operation.requestBody ? Object.entries(operation.requestBody.content)[0] : null;
    }

    function curl(method) {
      const operation = method.operation, security = operation.security || [];
      const key = security.some(each => each.apiKey) ? " -H \"x-api-key: $KEY\""
        : security.length ? " -H \"authorization: Bearer $TOKEN\"" : "";
      const path = method.path.replace(/\{([^}]*)\}/g, (_, name) => name.toUpperCase());
      const lines = ["curl" + (method.verb === "GET" ? "" : " -X " + method.verb) + key,
        "  \"" + location.origin + path + "\""];
      const body = content(operation);
      if (body) {
        lines.splice(1, 0, "  -H 'content-type: " + body[0] + "'");
        const isStream = body[0].includes("ndjson");
        const text = JSON.stringify(sample(body[1].schema, 0), null, isStream ? 0 : 2);
        lines.push("  --data-binary '" + text.replaceAll("'", "'\\''") + "'");
      }
      return lines.join(" \\\n");
    }

    function show(method) {
      const operation = method.operation, body = content(operation);
      const answers = operation.responses["200"].content;
      const [kind, answer] = Object.entries(answers)[0];
      const schema = kind.includes("ndjson") ? answer.schema.properties.result : answer.schema;
      const title = text => make("h3", {}, text);
      byId("detail").replaceChildren(
        make("h2", {}, operation.summary),
        make("p", {},
          make("code", {}, make("span", {class: "verb"}, method.verb), " ", method.path)),
        make("p", {class: "hint"}, make("code", {}, "gRPC " + operation["x-grpc-method"])),
        make("p", {}, say("callers") + " ", operation["x-callers"].map(caller =>
          make("span", {class: "chip"}, say(caller.kind) +
            (caller.role ? " · " + say(caller.role) : "")))),
        make("p", {class: "text"}, operation.description),
        ...(operation.parameters ? [title(say("parameters")),
          make("table", {}, operation.parameters.map(each => make("tr", {},
            make("td", {}, make("code", {}, each.name)),
            make("td", {class: "hint"}, each.in + " · " + typeName(each.schema)),
            make("td", {class: "text"}, each.description || ""))))] : []),
        ...(body ? [title(say("request") + " · " + typeName(body[1].schema) +
          (body[0].includes("ndjson") ? " · " + say("stream") : "")),
          fields(body[1].schema, [body[1].schema.$ref])] : []),
        title(say("response") + " · " + typeName(schema) +
          (kind.includes("ndjson") ? " · " + say("stream") : "")),
        fields(schema, [schema.$ref]),
        title(say("example")), make("pre", {}, curl(method)),
        title(say("errors")), make("p", {}, say("errorsText")));
      document.title = operation.summary + " · 驿家 API";
      window.scrollTo(0, 0);
    }

    function list() {
      const asked = byId("search").value.toLowerCase().split(/\s+/).filter(each => each);
      const found = methods.filter(method => asked.every(each => method.text.includes(each)));
      const current = decodeURIComponent(location.hash.slice(1));
      const nodes = [];
      let tag = null;
      for (const method of found) {
        if (method.tag !== tag) nodes.push(make("h2", {}, tag = method.tag));
        nodes.push(make("a", {href: "#" + method.id, class: method.id === current ? "on" : "",
          title: method.verb + " " + method.path}, method.operation.summary));
      }
      byId("list").replaceChildren(...(nodes.length ? nodes : [make("p", {}, say("none"))]));
      return found;
    }

    function draw() {
      document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
      byId("search").placeholder = say("search");
      byId("language").textContent = say("other");
      for (const node of document.querySelectorAll("[data-t]"))
        node.textContent = say(node.dataset.t);
      if (!api) return;
      const found = list();
      const current = decodeURIComponent(location.hash.slice(1));
      const method = methods.find(each => each.id === current) || found[0];
      if (method) show(method);
    }

    async function start() {
      draw();
      const answer = await fetch("/openapi.json");
      if (!answer.ok) throw new Error(answer.status);
      api = await answer.json();
      for (const [path, verbs] of Object.entries(api.paths))
        for (const [verb, operation] of Object.entries(verbs))
          methods.push({id: operation.operationId, tag: operation.tags[0], path,
            verb: verb.toUpperCase(), operation, text: [path, operation.summary,
              operation.description, operation["x-grpc-method"],
              ...operation["x-callers"].map(each => each.kind)].join(" ").toLowerCase()});
      methods.sort((a, b) => a.tag.localeCompare(b.tag));
      draw();
    }

    byId("search").addEventListener("input", list);
    byId("language").addEventListener("click", () => {
      language = language === "zh" ? "en" : "zh";
      localStorage.setItem("language", language);
      draw();
    });
    window.addEventListener("hashchange", draw);
    start().catch(() => byId("detail").replaceChildren(say("failed")));
    """#
}
