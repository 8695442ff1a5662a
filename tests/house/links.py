"""links.py - what README and docs/ link to is there."""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def main():
    dead = []
    for page in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(TOP)}: {target} is not there")
    print("\n".join(dead))
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
