"""The table: one row per number, the ratio so that above 1 is in postern's favour."""

import os
import time
from pathlib import Path

from machine import described


class Report:
    def __init__(self, bench):
        self.bench = bench
        self.parts = {}
        self.began = time.strftime("%Y-%m-%d", time.gmtime())

    def add(self, part, what, medians, key, form, more_is_better=False):
        values = [medians[s.name][key] for s in self.bench.servers]
        row = [what, *[form.format(v) for v in values]]
        if len(values) == 2:
            ours, theirs = values if more_is_better else values[::-1]
            row.append(f"{ours / theirs:.1f}x" if theirs > 0 else "")
        self.parts.setdefault(part, []).append(row)
        print("  ".join(row), flush=True)

    def head(self):
        load = " ".join(f"{n:.0f}" for n in os.getloadavg())
        return [f"{described()}; {self.began}, load averages at the end {load}.", *[s.version() + "." for s in self.bench.servers],
                f"Medians of {self.bench.rounds} rounds in turns."]

    def markdown(self):
        names = [s.name for s in self.bench.servers] + ["ratio"] * (len(self.bench.servers) > 1)
        lines = [" ".join(self.head())]
        for part, rows in self.parts.items():
            lines += ["", f"**{part}**", "", f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
            lines += [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join(lines) + "\n"

    def print(self):
        print("\n".join(self.head()))
        for part, rows in self.parts.items():
            print(f"\n{part}")
            for row in rows:
                print(f"  {row[0]:<56}" + "".join(f"{cell:>18}" for cell in row[1:]))

    def write(self, path):
        Path(path).write_text(self.markdown())
