// Calls of the gateway's JSON interface, and the session that proves the caller.
//
//   const {member} = await call("GET", "/v1/me/membership");
//   const {transfer} = await write("transfer", "POST", "/v1/transfers", {organizationCode});
//   for await (const part of stream("/yijia.members.v1.MembersService/ExportPersonalData", {})) …
//   await exchange("/yijia.members.v1.MembersService/EnrollMembers", messages, take);
//
// Every failure is an ApiError.

import {tag, words, say} from "./language.js";

words({
  zh: {
    "api.offline": "连不上服务器。请检查网络，然后重试。",
    "api.slow": "服务器没有及时答复，结果未知。请重试：重复提交不会重复办理。",
    "api.strange": "服务器的答复无法识别（{status}）。请稍后重试。",
  },
  en: {
    "api.offline": "The server cannot be reached. Check your connection and try again.",
    "api.slow": "The server did not answer in time, so the outcome is unknown. Try again: "
      + "nothing is done twice.",
    "api.strange": "The server's answer ({status}) is not understood. Try again later.",
  },
});

const ATTEMPTS = 3;
const TIMEOUT_MS = 20_000;
const EXCHANGE_TIMEOUT_MS = 60_000;
// Whoever is asked to wait longer is told so instead.
const PAUSE_MS_MAX = 5_000;
// ABORTED stands for a stale etag, too: the same call again would not help.
const CODES_OF_UNKNOWN_OUTCOME = [4, 14];

// A failed call: the gateway's google.rpc.Status, or no answer at all.
export class ApiError extends Error {
  // code: the gRPC code; 14 without an answer.
  // reason: for programs, such as "CODE_EXPIRED"; metadata: what belongs to it.
  // message: for people, in the language of the page.
  // violations: every wrong field, [{field: "application.residentId", reason, message}].
  // retrySeconds: when to try again; null if nothing was said about it.
  constructor({code, reason, message, metadata = {}, violations = [], retrySeconds = null}) {
    super(message);
    Object.assign(this, {name: "ApiError", code, reason, metadata, violations, retrySeconds});
  }

  // Whether the call may have been carried out all the same.
  get isOutcomeUnknown() { return CODES_OF_UNKNOWN_OUTCOME.includes(this.code); }

  static of(status, httpStatus) {
    if (typeof status?.code !== "number") {
      return new ApiError({
        code: httpStatus >= 500 ? 14 : 2, reason: "ANSWER_UNKNOWN",
        message: say("api.strange", {status: httpStatus}),
      });
    }
    const detail = name =>
      (status.details ?? []).find(each => each["@type"]?.endsWith(`/google.rpc.${name}`)) ?? {};
    const info = detail("ErrorInfo");
    const delay = detail("RetryInfo").retryDelay;
    return new ApiError({
      code: status.code, reason: info.reason ?? "", metadata: info.metadata,
      message: detail("LocalizedMessage").message ?? status.message,
      violations: (detail("BadRequest").fieldViolations ?? []).map(
        ({field = "", reason = "", description = ""}) => ({field, reason, message: description})),
      retrySeconds: delay ? Number.parseFloat(delay) : null,
    });
  }

  static lost(reason) {
    return new ApiError({
      code: reason === "TIMEOUT" ? 4 : 14, reason,
      message: say(reason === "TIMEOUT" ? "api.slow" : "api.offline"),
    });
  }
}

// The session of this tab. It ends with the tab: phones and computers are shared.
export const session = {
  // What stands before the names of this page's entries in sessionStorage.
  page: "",
  // Called when the gateway refuses the token: it ended, expired or was revoked.
  onEnd: () => {},

  get token() { return sessionStorage.getItem(`${this.page}.token`); },
  begin(token) { sessionStorage.setItem(`${this.page}.token`, token); },
  // Forgets the token and every request of the session that is still unanswered.
  end() {
    for (const key of Object.keys(sessionStorage))
      if (key.startsWith(`${this.page}.`)) sessionStorage.removeItem(key);
  },
};

let clockOffset = 0;

// The time of the gateway, whatever this device's clock says.
export const serverTime = () => new Date(Date.now() + clockOffset);

// A UUID, the idempotency key of a write. Pages that do not come by TLS lack randomUUID.
export const newRequestId = () => uuid(crypto.getRandomValues(new Uint8Array(16)), 4);

// The idempotency key of what has this content: whoever sends it again does it once. Pages that do
// not come by TLS lack the hash, and get a new key each time.
export async function requestIdOf(content) {
  if (!crypto.subtle) return newRequestId();
  const text = new TextEncoder().encode(JSON.stringify(content));
  return uuid(new Uint8Array(await crypto.subtle.digest("SHA-256", text)), 8);
}

// Source: RFC 9562, sections 5.4 and 5.8.
function uuid(hash, version) {
  const bytes = hash.slice(0, 16);
  bytes[6] = bytes[6] & 0x0f | version << 4;
  bytes[8] = bytes[8] & 0x3f | 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// Calls a method once, or more often while it fails without an answer and a repetition is
// harmless: that of a GET, or of a request with a requestId. Returns the response.
export function call(method, path, body) {
  return again(() => once(method, path, body), method === "GET" || Boolean(body?.requestId));
}

async function again(work, isRepeatable = true) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const pause = (error.retrySeconds ?? attempt ** 2 * 0.3) * 1000;
      const isWorthIt = isRepeatable && error.isOutcomeUnknown && pause <= PAUSE_MS_MAX;
      if (!isWorthIt || attempt === ATTEMPTS) throw error;
      await new Promise(resolve => setTimeout(resolve, pause));
    }
  }
}

// A path with a query; fields that are empty are left out, lists are repeated.
export function pathOf(path, query = {}) {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const each of [value].flat())
      if (each !== "" && each != null && each !== false) fields.append(name, each);
  const text = fields.toString();
  return text ? `${path}?${text}` : path;
}

async function once(method, path, body) {
  const {answer, stop, token} = await send(method, path, body, TIMEOUT_MS);
  const content = parsed(await answer.text().catch(() => { throw stop(); }));
  stop();
  if (!answer.ok) throw failure(content, answer.status, token);
  if (content === undefined) throw ApiError.of(null, answer.status);
  return content;
}

// Sends a request; a body that is an array goes as a stream of lines. `stop` ends its timer and
// returns the error of an answer that broke off.
async function send(method, path, body, timeout) {
  const abort = new AbortController();
  const timer = timeout ? setTimeout(() => abort.abort(), timeout) : null;
  const stop = () => {
    clearTimeout(timer);
    return ApiError.lost(abort.signal.aborted ? "TIMEOUT" : "OFFLINE");
  };
  const headers = {"accept-language": tag()};
  const isStream = Array.isArray(body);
  if (body !== undefined)
    headers["content-type"] = isStream ? "application/x-ndjson" : "application/json";
  const {token} = session;
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(path, {
      method, headers, signal: abort.signal, cache: "no-store", credentials: "omit",
      body: isStream ? body.map(each => JSON.stringify(each)).join("\n") : JSON.stringify(body),
    });
    const date = Date.parse(answer.headers.get("date") ?? "");
    if (date) clockOffset = date - Date.now();
    return {answer, stop, token};
  } catch {
    throw stop();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// - token: the one that the request was sent with; a newer session is not concerned.
function failure(content, status, token) {
  const error = ApiError.of(content, status);
  if (error.reason === "CALLER_UNPROVEN" && token && token === session.token) {
    session.end();
    session.onEnd(error);
  }
  return error;
}

// ---- Writes that are kept until they are answered.
//
// A request stays in sessionStorage, with its requestId, until its outcome is known: a second tap,
// a retry or a reload of the page sends the same one again, and the service does it once. Whatever
// `name` names has at most one unanswered request.

const place = name => `${session.page}.unanswered.${name}`;

// The unanswered request of that name: {method, path, body}, or null.
export function unanswered(name) {
  return JSON.parse(sessionStorage.getItem(place(name)) ?? "null");
}

// Sends a write under a name, with the requestId of an equal one that is still unanswered.
export async function write(name, method, path, body) {
  const old = unanswered(name);
  const {requestId, ...content} = old?.body ?? {};
  const isSame = old?.path === path && JSON.stringify(content) === JSON.stringify(body);
  const request = {
    method, path, body: {...body, requestId: isSame ? requestId : newRequestId()},
  };
  sessionStorage.setItem(place(name), JSON.stringify(request));
  return finish(name);
}

// Sends the unanswered request of that name again.
export async function finish(name) {
  const {method, path, body} = unanswered(name);
  try {
    const response = await call(method, path, body);
    forget(name);
    return response;
  } catch (error) {
    if (!error.isOutcomeUnknown) forget(name);
    throw error;
  }
}

// Gives an unanswered request up.
export function forget(name) { sessionStorage.removeItem(place(name)); }

// ---- Streams.

// Yields the messages of a response stream (application/x-ndjson); leave the loop to end it.
export async function* stream(path, body, timeout = null) {
  const {answer, stop, token} = await send("POST", path, body, timeout);
  if (!answer.ok)
    throw failure(parsed(await answer.text().catch(() => "")), answer.status, token);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const {value = "", done} = await reader.read().catch(() => { throw stop(); });
      const lines = (rest + value + (done ? "\n" : "")).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.trim()) yield message(parsed(line), answer.status, token);
      if (done) return;
    }
  } finally {
    stop();
    reader.cancel().catch(() => {});
  }
}

// Sends messages, [{request}], as one stream that answers each in its turn. `take` gets a message
// with its answer, and what is answered leaves the array. When the stream breaks off, the rest is
// sent again: a request has its requestId, or does nothing.
export function exchange(path, messages, take) {
  return again(async () => {
    const requests = messages.map(each => each.request);
    for await (const answer of stream(path, requests, EXCHANGE_TIMEOUT_MS))
      take(messages.shift(), answer);
    if (messages.length > 0) throw ApiError.lost("OFFLINE");
  });
}

function message(content, status, token) {
  if (content?.error) throw failure(content.error, status, token);
  if (content === undefined) throw ApiError.of(null, status);
  return content.result;
}
