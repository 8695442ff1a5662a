"""attacks.py - each row of docs/attacks.md names tests that are there and carry the row's number in their names, and each Python test
with such a number in its name belongs to a row."""
import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs/attacks.md"
ROW = re.compile(r"^\| ([A-K]\d\d) \| ([^|]+) \| ([^|]+) \|$", re.M)


def defined(path, name):
    """Is there a test, or an attack, of this name in the file?"""
    if not path.is_file():
        return False
    return name is None or re.search(rf"^(?:def )?{name}\(", path.read_text(), re.M) is not None


def wrong_with(number, shown):
    """What is wrong with the tests of a row."""
    for reference in shown.split("; "):
        match = re.fullmatch(r"`([^`]+)`(?: (\w+))?", reference.strip())
        if not match:
            yield f"{reference}: no reference"
        elif not defined(TESTS / match[1], match[2]):
            yield f"{reference}: not there"
        elif not re.search(rf"(?<![a-z0-9]){number.lower()}(?=[-_])", (match[2] or Path(match[1]).name).replace("test_", "")):
            yield f"{reference}: without {number} in its name"


def main():
    rows = {number: shown for number, _, shown in ROW.findall(PAGE.read_text())}
    wrong = [f"{number}: {why}" for number, shown in rows.items() for why in wrong_with(number, shown)]
    if len(rows) < 130:
        wrong.append(f"only {len(rows)} rows were read")
    for path in sorted((TESTS / "e2e").glob("test_*.py")) + sorted((TESTS / "crash").glob("test_*.py")):
        for number in re.findall(r"^def test_((?:[a-k]\d\d_)+)", path.read_text(), re.M):
            wrong += [f"{path.name}: no row {n.upper()}" for n in number.strip("_").split("_") if n.upper() not in rows]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
