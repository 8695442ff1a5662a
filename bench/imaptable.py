"""The tables of bench/imap.py: a ratio above 1 is in postern's favour, and stands beside the one that is wanted."""

import os
import time
from pathlib import Path

from machine import described

HEAD = ("", "postern", "dovecot", "ratio", "wanted", "", "CPU ratio")


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


class Table:
    """path: the file it goes to after every row, for a run may take hours."""

    def __init__(self, servers, path=None):
        self.servers = servers
        self.path = path
        self.parts = {}
        self.loads = [os.getloadavg()[0]]

    def add(self, part, words, got, key, wanted=None, limit=None, more_is_better=False):
        """limit: what postern's own number may be at most. wanted: the ratio."""
        ours, theirs = got["postern"][key], got.get("dovecot", {}).get(key)
        ratio = self.ratio(ours, theirs, more_is_better)
        cpu = self.ratio(got["postern"].get("cpu"), got.get("dovecot", {}).get("cpu"), False) if key != "cpu" else None
        row = [words, number(ours), "" if theirs is None else number(theirs), self.times(ratio), self.wish(wanted, limit),
               self.verdict(ours, ratio, wanted, limit), self.times(cpu)]
        self.parts.setdefault(part, []).append(row)
        self.loads.append(os.getloadavg()[0])
        print("  ".join(row), flush=True)
        if self.path is not None:
            Path(self.path).write_text(self.markdown())

    @staticmethod
    def ratio(ours, theirs, more_is_better):
        if not ours or not theirs:
            return None
        return ours / theirs if more_is_better else theirs / ours

    @staticmethod
    def times(ratio):
        return "" if ratio is None else f"{number(ratio)}x"

    @staticmethod
    def wish(wanted, limit):
        return ", ".join(([f"{wanted:g}x"] if wanted else []) + ([f"at most {limit:g}"] if limit else []))

    @staticmethod
    def verdict(ours, ratio, wanted, limit):
        missed = (wanted and ratio is not None and ratio < wanted) or (limit and ours > limit)
        return "**missed**" if missed else "met" if limit or (wanted and ratio is not None) else ""

    def markdown(self):
        lines = [f"{described()}; {time.strftime('%Y-%m-%d', time.gmtime())}; {'. '.join(s.version() for s in self.servers)}. "
                 f"Load averages during the run: {min(self.loads):.0f} to {max(self.loads):.0f}."]
        for part, rows in self.parts.items():
            lines += ["", f"**{part}**", "", f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---:|---|---:|"]
            lines += [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join(lines) + "\n"
