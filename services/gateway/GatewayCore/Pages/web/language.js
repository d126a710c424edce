// The language of a page, Chinese or English, and its words.
//
// A module adds its words once, words({zh: {…}, en: {…}}), and says them with
// say("key", {name: value}), which puts values in place of {name}. draw() of a page says all of
// them anew when the language changes.

const tables = {zh: {}, en: {}};
let current = chosen();

function chosen() {
  const kept = localStorage.getItem("language");
  return kept in tables ? kept : "zh";
}

// "zh" or "en".
export const language = () => current;
// For accept-language and the lang attribute.
export const tag = () => current === "zh" ? "zh-CN" : "en";

// Adds words by language and key.
export function words(added) {
  for (const [name, table] of Object.entries(added)) Object.assign(tables[name], table);
}

// The word of a key in the current language; the key itself where nobody gave one.
export function say(key, values = {}) {
  const text = tables[current][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => name in values ? values[name] : whole);
}

const listeners = [];

// Calls draw now and at each change of the language.
export function onLanguage(draw) {
  listeners.push(draw);
  document.documentElement.lang = tag();
  draw();
}

// Changes between Chinese and English, and keeps the choice.
export function switchLanguage() {
  current = current === "zh" ? "en" : "zh";
  localStorage.setItem("language", current);
  document.documentElement.lang = tag();
  for (const draw of listeners) draw();
}

// ---- Dates as people read them, in China's time.

const CHINA = "Asia/Shanghai";

// A timestamp of the interface with the time of the day.
export function time(text) {
  const style = {timeZone: CHINA, dateStyle: "medium", timeStyle: "short"};
  return text ? new Date(text).toLocaleString(tag(), style) : "";
}

// A google.type.Date as an input has it, and back: 2026-11-21.
export const isoDay = date => date?.year
  ? [date.year, date.month, date.day].map(part => String(part).padStart(2, "0")).join("-") : "";
export function dateOf(text) {
  const [year, month, date] = text.split("-").map(Number);
  return year ? {year, month, day: date} : undefined;
}

// A google.type.Date.
export function day(date) {
  return date?.year
    ? new Date(Date.UTC(date.year, date.month - 1, date.day))
      .toLocaleDateString(tag(), {timeZone: "UTC", dateStyle: "medium"})
    : "";
}
