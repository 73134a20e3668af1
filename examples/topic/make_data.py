"""Writes build/topics.txt: a line per text, with its topic before it.

    apt-get install fortunes
    python make_data.py

The texts are the sayings, quotations and jokes of the Unix program fortune, which Debian's package fortunes installs in
/usr/share/games/fortunes, a file per topic. Who said something is left out: the name would often tell the topic.
"""

import re
from pathlib import Path

BUILD = Path(__file__).resolve().parent / "build"
TOPICS = ("art", "computers", "food", "law", "men-women", "politics", "science", "sports", "work")
FORTUNES = Path("/usr/share/games/fortunes")
_SAID_BY = re.compile(r"\n\s*--.*", re.DOTALL)
#: Shorter ones say too little, of longer ones the rest is left out.
SHORTEST, LONGEST = 5, 80


def texts(file: Path) -> list[str]:
    """The texts of a file, each on one line."""
    parts = file.read_text(encoding="utf-8", errors="replace").split("\n%\n")
    lines = [" ".join(_SAID_BY.sub("", part).split()[:LONGEST]) for part in parts]
    return [line for line in lines if len(line.split()) >= SHORTEST]


def main() -> None:
    topics: dict[str, set[str]] = {}
    for topic in TOPICS:
        for text in texts(FORTUNES / topic):
            topics.setdefault(text, set()).add(topic)
    # A text that is in several files has no topic of its own.
    lines = [f"{next(iter(names))}\t{text}\n" for text, names in topics.items() if len(names) == 1]
    BUILD.mkdir(exist_ok=True)
    path = BUILD / "topics.txt"
    path.write_text("".join(lines), encoding="utf-8")
    counts = (f"{topic} {sum(line.startswith(topic) for line in lines):,}" for topic in TOPICS)
    print(f"wrote {path}: {len(lines):,} texts ({', '.join(counts)})")


if __name__ == "__main__":
    main()
