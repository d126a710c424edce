// QR codes (ISO/IEC 18004) of short texts in upper case, such as a member's own code: alphanumeric
// mode, error correction level M, versions 1 to 3, which consist of a single block.

import {draw} from "./page.js";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
// By version: the codewords of data and of error correction.
const VERSIONS = [null, [16, 10], [28, 16], [44, 26]];
const QUIET_ZONE = 4;

// A drawing of the code of a text, with an accessible name; null if the text does not fit.
export function qrCode(text, label) {
  const modules = matrix(text);
  if (!modules) return null;
  const size = modules.length + 2 * QUIET_ZONE;
  const path = modules.flatMap((row, y) => row.flatMap((dark, x) =>
    dark ? `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z` : [])).join("");
  // Dark on white, also on a dark page: many scanners read nothing else.
  return draw("svg", {
    viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, class: "qr",
    "shape-rendering": "crispEdges",
  },
  draw("rect", {width: size, height: size, fill: "#fff"}), draw("path", {d: path, fill: "#000"}));
}

// The modules of the code, row by row; null if the text does not fit.
export function matrix(text) {
  const version = VERSIONS.findIndex(
    (sizes, number) => number > 0 && bitCount(text) <= sizes[0] * 8);
  if (version < 0 || [...text].some(each => !ALPHABET.includes(each))) return null;
  const [dataCount, correctionCount] = VERSIONS[version];
  const data = dataCodewords(text, dataCount);
  const bits = bitsOf([...data, ...correction(data, correctionCount)]);
  const candidates = MASKS.map((mask, number) => drawn(version, bits, mask, number));
  return candidates.reduce((best, each) => penalty(each) < penalty(best) ? each : best);
}

const bitCount = text => 4 + 9 + Math.floor(text.length / 2) * 11 + text.length % 2 * 6;
const binary = (value, width) => value.toString(2).padStart(width, "0");
const bitsOf = bytes => bytes.map(byte => binary(byte, 8)).join("");

function dataCodewords(text, count) {
  let bits = "0010" + binary(text.length, 9);
  for (let at = 0; at < text.length; at += 2) {
    const [first, second] = [...text.slice(at, at + 2)].map(each => ALPHABET.indexOf(each));
    bits += second === undefined ? binary(first, 6) : binary(first * 45 + second, 11);
  }
  bits += "0".repeat(Math.min(4, count * 8 - bits.length));
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0");
  const bytes = bits.match(/.{8}/g).map(each => Number.parseInt(each, 2));
  for (let pad = 0; bytes.length < count; pad += 1) bytes.push(pad % 2 ? 0x11 : 0xec);
  return bytes;
}

// ---- Reed–Solomon over GF(256) with the polynomial 0x11d.

function multiply(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1)
    product = product << 1 ^ (product >> 7) * 0x11d ^ (b >> bit & 1) * a;
  return product;
}

function correction(data, count) {
  // The generator without its leading 1: the product of (x - 2^i).
  const generator = [...Array(count - 1).fill(0), 1];
  for (let power = 0, root = 1; power < count; power += 1, root = multiply(root, 2))
    for (let at = 0; at < count; at += 1)
      generator[at] = multiply(generator[at], root) ^ (generator[at + 1] ?? 0);
  const rest = Array(count).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    for (let at = 0; at < count; at += 1) rest[at] ^= multiply(generator[at], factor);
  }
  return rest;
}

// ---- Placement.

const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  x => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (x, y) => x * y % 2 + x * y % 3 === 0,
  (x, y) => (x * y % 2 + x * y % 3) % 2 === 0,
  (x, y) => ((x + y) % 2 + x * y % 3) % 2 === 0,
];

function drawn(version, bits, mask, maskNumber) {
  const size = 17 + 4 * version;
  const modules = Array.from({length: size}, () => Array(size).fill(null));
  const set = (x, y, dark) => {
    if (x >= 0 && y >= 0 && x < size && y < size) modules[y][x] = dark;
  };
  const ring = (cx, cy, radius, isDark) => {
    for (let dy = -radius; dy <= radius; dy += 1)
      for (let dx = -radius; dx <= radius; dx += 1)
        set(cx + dx, cy + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
  };
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]])
    ring(x, y, 4, distance => distance !== 2 && distance !== 4);
  if (version > 1) ring(size - 7, size - 7, 2, distance => distance !== 1);
  drawFormat(set, size, maskNumber);
  drawData(modules, size, bits, mask);
  return modules;
}

// Level M is 00. The remainder of a BCH code protects the five bits.
function drawFormat(set, size, maskNumber) {
  let rest = maskNumber;
  for (let step = 0; step < 10; step += 1) rest = rest << 1 ^ (rest >> 9) * 0x537;
  const format = (maskNumber << 10 | rest) ^ 0x5412;
  const bit = index => (format >> index & 1) === 1;
  for (let at = 0; at < 6; at += 1) set(8, at, bit(at));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let at = 9; at < 15; at += 1) set(14 - at, 8, bit(at));
  for (let at = 0; at < 8; at += 1) set(size - 1 - at, 8, bit(at));
  for (let at = 8; at < 15; at += 1) set(8, size - 15 + at, bit(at));
  set(8, size - 8, true);
}

// Two columns at a time, from the right, upwards and downwards in turn.
function drawData(modules, size, bits, mask) {
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const isUp = (right + 1 & 2) === 0;
    for (let step = 0; step < size; step += 1)
      for (const x of [right, right - 1]) {
        const y = isUp ? size - 1 - step : step;
        if (modules[y][x] !== null) continue;
        modules[y][x] = (bits[at] === "1") !== mask(x, y);
        at += 1;
      }
  }
}

// The penalties for what scanners mistake; the mask with the least is chosen.
function penalty(modules) {
  const size = modules.length;
  const columns = modules.map((_, x) => modules.map(row => row[x]));
  let sum = 0;
  for (const line of [...modules, ...columns].map(row => row.map(Number).join(""))) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) sum += run.length - 2;
    for (let from = 0; from + 11 <= size; from += 1)
      if (["10111010000", "00001011101"].includes(line.slice(from, from + 11))) sum += 40;
  }
  for (let y = 1; y < size; y += 1)
    for (let x = 1; x < size; x += 1)
      if (new Set([modules[y][x], modules[y - 1][x], modules[y][x - 1], modules[y - 1][x - 1]])
        .size === 1) sum += 3;
  const dark = modules.flat().filter(Boolean).length;
  return sum + Math.floor(Math.abs(dark * 20 / size ** 2 - 10)) * 10;
}
