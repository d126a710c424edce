#!/usr/bin/env python3
"""Holds our encoding against Google's, in both directions, byte for byte.

  agree.py SWIFT_HALF [--seed N] [--count N]

SWIFT_HALF is the built `torture-agree`. Each of COUNT rounds makes a random message and checks:

  forth     Python's deterministic bytes, read and written by Swift, are the same bytes
  back      Swift's bytes of a random message, read and written by Python, are the same bytes
  unknown   the same with contracts that know none or some of the fields
  merged    two messages' fields one after the other, shuffled, with unknown groups between
  mutated   bytes changed at random: both refuse, or both read the same

The seed is printed; the same seed makes the same messages.
"""
import argparse
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAILURE = os.path.join(tempfile.gettempdir(), "torture-failure.bin")
ALPHABET = ["a", "Z", " ", "\0", "\n", "ä", "ß", "工", "会", "𠮷", "🚚", "\U0010ffff", "\x7f"]


def contracts():
  """The message classes of torture.v1, from protoc's description."""
  with tempfile.NamedTemporaryFile() as out:
    subprocess.run(
        ["protoc", "-I", os.path.join(ROOT, "proto"), "--include_imports",
         "--descriptor_set_out", out.name, "torture/v1/torture.proto"], check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
  pool = descriptor_pool.DescriptorPool()
  for file in files.file:
    pool.Add(file)
  return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName("torture.v1." + name))
          for name in ("Torture", "Blank", "Sparse", "Tree")}


def has_odd_entry(message):
  """Whether a map entry carried a field that entries do not have.

  upb then takes the whole entry for unknown; we read the entry and drop the field, as C++ does.
  """
  descriptor = message.DESCRIPTOR
  maps = {field.number for field in descriptor.fields if is_map(field)}
  if any(unknown.field_number in maps for unknown in UnknownFieldSet(message)):
    return True
  for field, value in message.ListFields():
    if is_map(field):
      inner = value.values() if field.message_type.fields_by_name["value"].message_type else []
    elif field.message_type:
      inner = value if field.is_repeated else [value]
    else:
      continue
    if any(has_odd_entry(each) for each in inner):
      return True
  return False


def is_map(field):
  return bool(field.message_type and field.message_type.GetOptions().map_entry)


class Swift:
  """The other half, a process that answers frames."""

  def __init__(self, path):
    self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

  def ask(self, kind, content):
    self.process.stdin.write(kind + struct.pack("<I", len(content)) + content)
    self.process.stdin.flush()
    head = self.process.stdout.read(5)
    if len(head) < 5:
      raise SystemExit(f"the Swift half ended: {self.process.wait()}")
    body = self.process.stdout.read(struct.unpack("<I", head[1:])[0])
    return head[0] == 0, body


class Maker:
  """Random messages by their description."""

  def __init__(self, seed):
    self.random = random.Random(seed)

  def integer(self, bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    pick = self.random.randrange(5)
    value = [0, low, high, self.random.getrandbits(self.random.randrange(bits)),
             self.random.randrange(-200, 201)][pick]
    return min(max(value, low), high)

  def floating(self, is_double):
    value = self.random.choice(
        [0.0, -0.0, math.inf, -math.inf, math.nan, self.random.uniform(-1e9, 1e9), 5e-324, 1.5])
    return value if is_double else struct.unpack("<f", struct.pack("<f", value))[0]

  def text(self):
    return "".join(self.random.choices(ALPHABET, k=self.random.randrange(24)))

  def bytes(self):
    size = self.random.randrange(70000 if self.random.random() < 0.02 else 24)
    return self.random.randbytes(size)

  def scalar(self, field):
    kind = field.type
    if kind in (Field.TYPE_DOUBLE, Field.TYPE_FLOAT):
      return self.floating(kind == Field.TYPE_DOUBLE)
    if kind == Field.TYPE_BOOL:
      return self.random.random() < 0.5
    if kind == Field.TYPE_STRING:
      return self.text()
    if kind == Field.TYPE_BYTES:
      return self.bytes()
    if kind == Field.TYPE_ENUM:
      known = [value.number for value in field.enum_type.values]
      return self.random.choice(known + [self.integer(32, True)])
    bits = 64 if "64" in TYPE_NAMES[kind] else 32
    return self.integer(bits, not TYPE_NAMES[kind].startswith(("U", "FIXED")))

  def fill(self, message, depth):
    density = self.random.choice([0.02, 0.1, 0.4])
    for field in message.DESCRIPTOR.fields:
      if self.random.random() > density:
        continue
      if field.message_type and depth == 0 and field.message_type.file.package == "torture.v1":
        continue
      self.field(message, field, depth)
    return message

  def field(self, message, field, depth):
    if is_map(field):
      target = getattr(message, field.name)
      key, value = field.message_type.fields
      for _ in range(self.random.randrange(1, 12)):
        if value.message_type:
          self.fill(target[self.scalar(key)], max(depth - 1, 0))
        else:
          target[self.scalar(key)] = self.scalar(value)
    elif field.is_repeated:
      target = getattr(message, field.name)
      for _ in range(self.random.randrange(1, 6)):
        if field.message_type:
          self.fill(target.add(), max(depth - 1, 0))
        else:
          target.append(self.scalar(field))
    elif field.message_type:
      target = getattr(message, field.name)
      target.SetInParent()
      self.fill(target, depth - 1 if depth else 0)
    else:
      setattr(message, field.name, self.scalar(field))

  def make(self, kind):
    # Struct, Value and ListValue hold each other: the depth ends them too.
    message = kind()
    self.fill(message, self.random.randrange(4))
    return message


TYPE_NAMES = {getattr(Field, name): name[5:] for name in dir(Field) if name.startswith("TYPE_")}


def varint(value):
  out = b""
  while value >= 0x80:
    out += bytes([value & 0x7F | 0x80])
    value >>= 7
  return out + bytes([value])


def fields(content):
  """The fields of a message's bytes, each whole."""
  at, result = 0, []

  def read():
    nonlocal at
    value = shift = 0
    while True:
      byte = content[at]
      at += 1
      value |= (byte & 0x7F) << shift
      shift += 7
      if byte < 0x80:
        return value
  while at < len(content):
    start = at
    kind = read() & 7
    if kind == 0:
      read()
    elif kind == 2:
      size = read()
      at += size
    else:
      at += 8 if kind == 1 else 4
    result.append(content[start:at])
  return result


class Check:
  """The checks of a run."""

  def __init__(self, swift, seed):
    self.swift, self.seed = swift, seed
    self.kinds = contracts()
    self.maker = Maker(seed)
    self.random = random.Random(seed + 1)
    self.counts = {"forth": 0, "back": 0, "unknown": 0, "merged": 0, "mutated": 0, "refused": 0,
                   "skipped": 0}

  def fail(self, what, name, content, ours, theirs):
    with open(FAILURE, "wb") as out:
      out.write(content)
    at = len(os.path.commonprefix([ours, theirs]))
    around = slice(max(at - 24, 0), at + 24)
    raise SystemExit(
        f"{what} as {name} disagrees at byte {at} with seed {self.seed}: see {FAILURE}\n"
        f"  Swift  {ours[around]!r}\n  Python {theirs[around]!r}")

  def same(self, what, name, content):
    """Both read `content` as the same message, or both refuse it."""
    try:
      message = self.kinds[name].FromString(content)
      if what == "mutated" and has_odd_entry(message):
        self.counts["skipped"] += 1
        return
      theirs = message.SerializeToString(deterministic=True)
    except DecodeError as error:
      theirs = None
      reason = str(error).encode()
    letter = {"Torture": b"T", "Blank": b"B", "Sparse": b"S", "Tree": b"R"}[name]
    fine, ours = self.swift.ask(letter, content)
    if ours == b"zeroFieldNumber" and theirs is not None:
      # upb lets the number 0 pass in messages without fields; the format forbids it.
      self.counts["skipped"] += 1
      return
    if fine != (theirs is not None) or fine and ours != theirs:
      self.fail(what, name, content, ours, reason if theirs is None else theirs)
    self.counts[what] += 1
    self.counts["refused"] += theirs is None

  def group(self):
    number = self.random.choice([600, 1, 103, 401, 100000])
    kinds = [varint(8) + varint(self.random.getrandbits(60)), varint(99 << 3 | 2) + b"\x03abc",
             varint(5 << 3 | 3) + varint(5 << 3 | 4)]
    inner = b"".join(self.random.choices(kinds, k=self.random.randrange(3)))
    return varint(number << 3 | 3) + inner + varint(number << 3 | 4)

  def once(self, round_number):
    message = self.maker.make(self.kinds["Torture"])
    content = message.SerializeToString(deterministic=True)
    fine, ours = self.swift.ask(b"T", content)
    if not fine or ours != content:
      self.fail("forth", "Torture", content, ours, content)
    self.counts["forth"] += 1

    fine, made = self.swift.ask(b"M", struct.pack("<Q", self.seed * 1000003 + round_number))
    theirs = self.kinds["Torture"].FromString(made).SerializeToString(deterministic=True)
    if not fine or made != theirs:
      self.fail("back", "Torture", made, made, theirs)
    self.counts["back"] += 1

    self.same("unknown", self.random.choice(["Blank", "Sparse", "Tree"]), content)
    other = self.maker.make(self.kinds["Torture"]).SerializeToString()
    pieces = fields(content) + fields(other) + fields(content)[:5]
    if self.random.random() < 0.5:
      pieces += [self.group() for _ in range(2)]
    self.random.shuffle(pieces)
    self.same("merged", self.random.choice(["Torture", "Sparse", "Blank"]), b"".join(pieces))

    changed = bytearray(content[:2000] if self.random.random() < 0.3 else content)
    for _ in range(self.random.randrange(1, 4)):
      if changed:
        changed[self.random.randrange(len(changed))] = self.random.getrandbits(8)
    self.same("mutated", self.random.choice(["Torture", "Sparse", "Blank"]), bytes(changed))


def main():
  options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  options.add_argument("swift_half")
  options.add_argument("--seed", type=int, default=None)
  options.add_argument("--count", type=int, default=10000)
  given = options.parse_args()
  seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
  print(f"torture: seed {seed}", flush=True)
  check = Check(Swift(given.swift_half), seed)
  for round_number in range(given.count):
    check.once(round_number)
  print("torture:", ", ".join(f"{count} {what}" for what, count in check.counts.items()))
  check.swift.process.stdin.close()
  return check.swift.process.wait()


if __name__ == "__main__":
  sys.exit(main())
