"""imaptable.py - docs/imap-table.md: every IMAP extension, command, item, key and option with its RFC and the transcripts that show it.

The rows come from the server's own tables (tests/talk/imap_rows.c), the transcripts from their text: one shows an extension when
its `rule` lines name the RFC, and a row when its client uses it. Fails when the page is not what comes out here, and when
something that is there has no transcript. `imaptable.py --write` writes the page.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/imap-table.md"
TALKS = TOP / "tests/talk/imap"
SHOWN = 4  # transcripts named for a row; the others are counted

HEAD = """# IMAP: what there is, and what shows it

Made by `tests/house/imaptable.py --write` from the tables of `src/imap` and the transcripts in `tests/talk/imap`; `./test house` fails
when it is old, or when something here has no transcript. A transcript shows an extension when its `rule` lines name the RFC, and a command, item,
key or option when its client uses it. What is chosen where the standards leave room is in [imap.md](imap.md).

"""

# Where a name of the table stands in what a client says; %s is the name.
USES = {
    "command before login": r"(?:^|\\n)\S+ %s(?= |$|\\r)",
    "command": r"(?:^|\\n)\S+ (?:uid )?%s(?= |$|\\r)",
    "ENABLE": r"\benable .*%s",
    "LIST selection option": r"\blist \([^)]*%s",
    "LIST return option": r"\breturn \(.*%s",
    "STATUS item": r"\bstatus .*%s",
    "SEARCH return option": r"\breturn \(.*%s",
    "SEARCH key": r"\b(?:search|sort|thread|esearch)\b.*[ (]%s(?=[ )\\]|$)",
    "SORT criterion": r"\bsort .*\(.*%s",
    "THREAD algorithm": r"\bthread %s",
    "FETCH item": r"\bfetch\b.*[ (]%s(?=[ )\[\\]|$)",
    "APPEND data": r"(?:^|[ (])%s[ (]",
}
BASE = ("3501", "9051")
PLURALS = {"command before login": "Commands before login", "APPEND data": "APPEND data", "SORT criterion": "SORT criteria", "ENABLE": "ENABLE",
           "command": "Commands"}
DEFAULT_USE = r"[ (]%s(?=[ )\\]|$)"


def rows(build):
    done = subprocess.run([str(build / "tests/talk/imap_rows")], capture_output=True, text=True, check=True)
    seen = []
    for line in done.stdout.splitlines():
        row = tuple(line.split("\t"))
        if row not in seen:
            seen.append(row)
    return seen


class Talk:
    def __init__(self, path):
        lines = path.read_text(errors="surrogateescape").splitlines()
        self.name = path.stem
        self.rules = " ".join(line for line in lines if line.startswith("rule "))
        said = [re.sub(r"^C\d?[:=] ", "", line) for line in lines if re.match(r"C\d?[:=] ", line)]
        words = [line for line in lines if not re.match(r"(rule|[CS]\d?[:=]|#)", line)]
        self.client = "\n".join(said)
        if any(word.startswith("login") for word in words):
            self.client += "\nlogin LOGIN alice secret"

    def names_rfc(self, number):
        return re.search(rf"(?<![\d.]){number}(?![\d])", self.rules) is not None

    def uses(self, pattern):
        return re.search(pattern, self.client, re.I | re.M) is not None


def tell(talks, numbers):
    """Names of transcripts: those made for the RFC first, then those that name it. How many more there are would change with each new
    transcript of anything."""
    def order(talk):
        return not talk.name.startswith(tuple(f"rfc{n}-" for n in numbers)), not any(talk.names_rfc(n) for n in numbers), talk.name

    names = [talk.name for talk in sorted(talks, key=order)]
    return ", ".join(names[:SHOWN]) + (" and more" if len(names) > SHOWN else "")


def numbers_of(rfc):
    """Of an extension's RFCs those that are its own, where there are such."""
    numbers = sorted(set(re.findall(r"RFC (\d+)", rfc)), key=int)
    return [n for n in numbers if n not in BASE] or numbers


def pattern_of(kind, name):
    return USES.get(kind, DEFAULT_USE) % re.escape(name)


def extension_table(table, talks, missing):
    by_name = {}
    for kind, name, capability, rfc in table:
        if capability:
            by_name.setdefault(capability, []).append((kind, name, rfc))
    lines = ["## Extensions", "", "| capability | RFC | what it brings | shown by |", "|---|---|---|---|"]
    for capability, brought in sorted(by_name.items()):
        numbers = numbers_of(" ".join(rfc for _, _, rfc in brought))
        patterns = [pattern_of(kind, name) for kind, name, _ in brought if kind != "capability" and name != "APPEND"]
        shown = [t for t in talks if any(t.names_rfc(n) for n in numbers) or any(t.uses(p) for p in patterns)]
        if not shown:
            missing.append(f"no transcript names RFC {' or '.join(numbers)}, of capability {capability}")
        what = ", ".join(f"{kind} {name}" for kind, name, _ in brought if kind != "capability")
        lines.append(f"| {capability} | {', '.join(numbers)} | {what} | {tell(shown, numbers)} |")
    return lines


def row_tables(table, talks, missing):
    lines = []
    for kind in dict.fromkeys(row[0] for row in table if row[0] != "capability"):
        lines += ["", f"## {PLURALS.get(kind, kind + 's')}", "",
                  "| name | RFC | shown by |", "|---|---|---|"]
        for name, rfc in dict.fromkeys((row[1], row[3]) for row in table if row[0] == kind):
            shown = [t for t in talks if t.uses(pattern_of(kind, name))]
            if not shown:
                missing.append(f"no transcript uses {kind} {name}")
            lines.append(f"| {name} | {rfc.replace('RFC ', '')} | {tell(shown, numbers_of(rfc))} |")
    return lines


def page(build):
    talks = [Talk(path) for path in sorted(TALKS.glob("*.talk"))]
    table, missing = rows(build), []
    lines = extension_table(table, talks, missing) + row_tables(table, talks, missing)
    return HEAD + "\n".join(lines) + "\n", missing


def main():
    writes = "--write" in sys.argv
    builds = [TOP / name for name in ("build-test", "build") if (TOP / name / "tests/talk/imap_rows").exists()]
    if not builds:
        print("nothing is built yet")
        return 1
    text, missing = page(builds[-1] if writes else builds[0])
    if writes:
        PAGE.write_text(text)
    print("\n".join(missing), end="\n" if missing else "")
    if not PAGE.exists() or PAGE.read_text() != text:
        print("docs/imap-table.md is not what tests/house/imaptable.py --write makes of the tables")
        return 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
