#!/usr/bin/env python3
"""Holds our JSON against Google's json_format, in both directions, on random messages.

  json_agree.py SWIFT_HALF [--seed N] [--count N]

SWIFT_HALF is the built `torture-agree`. Each of COUNT rounds makes a random message and checks:

  written   the JSON of a message, here and there, is the same value, or both refuse
  merged    the same for two messages' fields one after the other, shuffled
  read      Google's JSON, with the contract's names or camel case, reads as the same message
  ours      our JSON, read by Google, is the same message

The seed is printed; the same seed makes the same messages.
"""
import argparse
import json
import random
import sys

from google.protobuf import json_format, message_factory
from google.protobuf.message import DecodeError

from agree import Maker, Swift, contracts, fields, is_map

WELL_KNOWN = "google.protobuf."


class JSONMaker(Maker):
  """Mostly well-known values that JSON has a form for: else nearly all messages were refused."""

  def __init__(self, seed, kinds):
    super().__init__(seed)
    self.kinds = kinds

  def fill(self, message, depth):
    name = message.DESCRIPTOR.full_name
    if not name.startswith(WELL_KNOWN) or self.random.random() < 0.003:
      return super().fill(message, depth)
    short = name[len(WELL_KNOWN):]
    make = getattr(self, "make_" + short.lower(), None)
    if make:
      make(message, depth)
      return message
    return super().fill(message, depth)

  def nanos(self):
    return self.random.choice([0, 0, 1, 999999999, 500000000, 1000, 12345000, 10**6])

  def make_timestamp(self, message, _):
    message.seconds = self.random.choice(
        [0, 1, -1, -62135596800, 253402300799, self.random.randrange(-62135596800, 253402300800)])
    message.nanos = self.nanos()

  def make_duration(self, message, _):
    sign = self.random.choice([1, -1])
    message.seconds = sign * self.random.choice([0, 1, 315576000000, self.random.getrandbits(20)])
    message.nanos = sign * self.nanos() if abs(message.seconds) < 315576000000 else 0

  def make_fieldmask(self, message, _):
    for _ in range(self.random.randrange(4)):
      message.paths.append(self.random.choice(["a", "a.b", "foo_bar", "a_b.c_d", "x1.foo_bar_z"]))

  def make_any(self, message, depth):
    pick = self.random.randrange(6)
    if pick == 0:
      return
    kind = self.random.choice(["Torture", "Blank", "Tree"])
    inner = self.kinds[kind]()
    if depth > 0:
      super().fill(inner, depth - 1)
    if pick == 1:
      inner = message.__class__()
      inner.Pack(self.kinds["Blank"]())
    message.Pack(inner)

  def make_value(self, message, depth):
    pick = self.random.randrange(6 if depth > 0 else 4)
    if pick == 0:
      message.null_value = 0
    elif pick == 1:
      message.number_value = self.random.choice([0.0, -1.5, 1e300, self.random.uniform(-9, 9)])
    elif pick == 2:
      message.string_value = self.text()
    elif pick == 3:
      message.bool_value = self.random.random() < 0.5
    elif pick == 4:
      self.make_struct(message.struct_value, depth - 1)
    else:
      self.make_listvalue(message.list_value, depth - 1)

  def make_struct(self, message, depth):
    message.SetInParent()
    for _ in range(self.random.randrange(4)):
      self.make_value(message.fields[self.text()], depth)

  def make_listvalue(self, message, depth):
    message.SetInParent()
    for _ in range(self.random.randrange(4)):
      self.make_value(message.values.add(), depth)


def difference(a, b, where=""):
  """Where parsed JSON differs: -0.0 and 0.0 do, true and 1 too, 1 and 1.0 do not."""
  if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
    return next(filter(None, (difference(a[k], b[k], f"{where}.{k}") for k in a)), None)
  if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
    pairs = enumerate(zip(a, b))
    return next(filter(None, (difference(*ab, f"{where}[{i}]") for i, ab in pairs)), None)
  numbers = all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in (a, b))
  if repr(float(a)) == repr(float(b)) if numbers else type(a) is type(b) and a == b:
    return None
  return f"at {where}: ours {str(a)[:500]}, Google's {str(b)[:500]}"


class Check:
  """The checks of a run."""

  def __init__(self, swift, seed):
    self.swift, self.seed = swift, seed
    self.kinds = contracts()
    self.pool = self.kinds["Torture"].DESCRIPTOR.file.pool
    self.maker = JSONMaker(seed, self.kinds)
    self.random = random.Random(seed + 1)
    self.counts = {"written": 0, "merged": 0, "read": 0, "ours": 0, "refused": 0}

  def fail(self, what, detail):
    raise SystemExit(f"{what} disagrees with seed {self.seed}: {detail[:4000]}")

  def written(self, what, content):
    """Both write `content` as the same JSON, or both refuse. Gives Google's message and text."""
    fine, ours = self.swift.ask(b"p", content)
    try:
      message = self.kinds["Torture"].FromString(content)
      theirs = json_format.MessageToJson(
          message, descriptor_pool=self.pool,
          preserving_proto_field_name=self.random.random() < 0.5)
    except (DecodeError, ValueError, TypeError, json_format.Error) as error:
      if fine:
        self.fail(what, f"Google refuses ({error!r}), we write {ours.decode()}")
      self.counts["refused"] += 1
      return None, None
    if not fine:
      self.fail(what, f"we refuse ({ours.decode()}), Google writes {theirs}")
    # Names differ by Google's choice of one form here.
    plain = json_format.MessageToDict(message, descriptor_pool=self.pool)
    different = difference(json.loads(ours), plain)
    if different:
      self.fail(what, different)
    self.counts[what] += 1
    return theirs, ours

  def once(self):
    made = self.maker.make(self.kinds["Torture"])
    content = made.SerializeToString(deterministic=True)
    other = self.maker.make(self.kinds["Torture"]).SerializeToString()
    pieces = fields(content) + fields(other)
    self.random.shuffle(pieces)
    self.written("merged", b"".join(pieces))
    theirs, ours = self.written("written", content)
    if theirs is None:
      return
    again = json_format.Parse(theirs, self.kinds["Torture"](), descriptor_pool=self.pool)
    expected = self.canonical(again)
    fine, wire = self.swift.ask(b"P", theirs.encode())
    if not fine:
      self.fail("read", f"we refuse ({wire.decode()}) {theirs}")
    read = self.kinds["Torture"].FromString(wire)
    if self.canonical(read) != expected:
      self.fail("read", self.unlike(read, again))
    self.counts["read"] += 1
    back = json_format.Parse(ours.decode(), self.kinds["Torture"](), descriptor_pool=self.pool)
    if self.canonical(back) != expected:
      self.fail("ours", self.unlike(back, again))
    self.counts["ours"] += 1

  def canonical(self, message):
    """Deterministic bytes, also of what lies packed within."""
    for field, value in message.ListFields():
      if field.message_type is None:
        continue
      if is_map(field):
        inner = value.values() if field.message_type.fields_by_name["value"].message_type else []
      else:
        inner = value if field.is_repeated else [value]
      for each in inner:
        self.canonical(each)
    if message.DESCRIPTOR.full_name == WELL_KNOWN + "Any" and message.type_url:
      kind = self.pool.FindMessageTypeByName(message.type_url.split("/")[-1])
      packed = message_factory.GetMessageClass(kind).FromString(message.value)
      message.value = self.canonical(packed)
    return message.SerializeToString(deterministic=True)

  def unlike(self, ours, theirs):
    """The fields in which two messages differ, one each line."""
    lines = []
    for field in ours.DESCRIPTOR.fields:
      pair = []
      for message in (ours, theirs):
        alone = type(message)()
        if any(field is each for each, _ in message.ListFields()):
          alone.CopyFrom(message)
          for other, _ in message.ListFields():
            if other is not field:
              alone.ClearField(other.name)
        pair.append(alone.SerializeToString(deterministic=True))
      if pair[0] != pair[1]:
        lines.append(f"{field.name}: ours {pair[0][:300]!r}, Google's {pair[1][:300]!r}")
    return "\n".join(lines)


def main():
  options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  options.add_argument("swift_half")
  options.add_argument("--seed", type=int, default=None)
  options.add_argument("--count", type=int, default=1000)
  given = options.parse_args()
  seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
  print(f"json: seed {seed}", flush=True)
  check = Check(Swift(given.swift_half), seed)
  for _ in range(given.count):
    check.once()
  print("json:", ", ".join(f"{count} {what}" for what, count in check.counts.items()))
  check.swift.process.stdin.close()
  return check.swift.process.wait()


if __name__ == "__main__":
  sys.exit(main())
