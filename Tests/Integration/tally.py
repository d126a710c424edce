"""What a crash may not do to records: the judge of the crash tests, and what it says."""

import collections
import dataclasses
import os


@dataclasses.dataclass
class Tally:
    """Records that were sent, acknowledged, and found afterwards."""

    sent: int
    acknowledged: int
    lost: list       # acknowledged and not there
    doubled: list    # there more than once
    strangers: list  # there and never sent
    extra: int       # there without an acknowledgement: at most once each, and allowed

    @property
    def is_sound(self):
        return not (self.lost or self.doubled or self.strangers)


def tally(sent, acknowledged, found):
    """Judges: `sent` and `acknowledged` are keys, `found` a list with a key for each row there."""
    sent, acknowledged = set(sent), set(acknowledged)
    assert acknowledged <= sent, "something was acknowledged that was never sent"
    count = collections.Counter(found)
    return Tally(
        sent=len(sent), acknowledged=len(acknowledged),
        lost=sorted(key for key in acknowledged if not count[key]),
        doubled=sorted(key for key, times in count.items() if times > 1),
        strangers=sorted(key for key in count if key not in sent),
        extra=sum(1 for key in count if key in sent and key not in acknowledged))


class Outage:
    """The longest time without an acknowledgement."""

    def __init__(self, clock):
        self._clock = clock
        self._last = clock()
        self.longest = 0.0

    def acknowledged(self):
        now = self._clock()
        self.longest = max(self.longest, now - self._last)
        self._last = now


def report(faults, rounds, tallies, outage):
    """What all of them say together, as `note` has it."""
    note(faults, rounds, sum(tally.acknowledged for tally in tallies),
         sum(len(tally.lost) for tally in tallies), sum(len(tally.doubled) for tally in tallies),
         outage)


def note(faults, rounds, acknowledged, lost, doubled, outage):
    """Adds a line to the table of `make faults` (YIJIA_FAULTS_REPORT), and shows it."""
    figures = (rounds, acknowledged, lost, doubled)
    line = "\t".join([faults, *map(str, figures), f"{outage:.1f}"])
    print(f"\n  {faults}: %d rounds, %d acknowledged, %d lost, %d doubled, longest outage "
          f"{outage:.1f} s" % figures, flush=True)
    if path := os.environ.get("YIJIA_FAULTS_REPORT"):
        with open(path, "a") as file:
            file.write(line + "\n")
