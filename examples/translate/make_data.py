"""Writes build/train.tsv and build/held-out.tsv: short texts of web applications in English, and what their
translators made of them in French.

    pip install polib django django-allauth django-cms django-oscar wagtail
    python make_data.py

They are read from the translation catalogues (`locale/fr/LC_MESSAGES/*.po`) that these packages install. The packages
are not imported, and any of them may be missing; with fewer texts, fewer are translated well.
"""

import csv
import random
import re
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import polib

BUILD = Path(__file__).resolve().parent / "build"
PACKAGES = ("django", "django-allauth", "django-cms", "django-oscar", "wagtail")
LONGEST = 10
_PIECES = re.compile(r"\w+|[^\w\s]")


def catalogues(package: str) -> list[Path]:
    """The French catalogues of an installed package, in the order of their names."""
    try:
        installed = files(package) or []
    except PackageNotFoundError:
        print(f"{package} is not installed")
        return []
    return sorted(Path(str(file.locate())) for file in installed if file.match("locale/fr/LC_MESSAGES/*.po"))


def translations(path: Path) -> list[tuple[str, str]]:
    """The texts of a catalogue with their translations, singular and plural forms apart."""
    pairs: list[tuple[str, str]] = []
    for entry in polib.pofile(str(path)):
        if entry.obsolete or entry.fuzzy:
            continue
        if entry.msgid_plural:
            pairs += [(entry.msgid, entry.msgstr_plural[0]), (entry.msgid_plural, entry.msgstr_plural[1])]
        else:
            pairs.append((entry.msgid, entry.msgstr))
    return pairs


def is_short(text: str) -> bool:
    """Whether a text is one of words, and not too long."""
    return 1 <= len(_PIECES.findall(text)) <= LONGEST and "<" not in text and "\n" not in text


def plain(text: str) -> str:
    """A text with one kind of space and one kind of apostrophe."""
    return " ".join(text.replace("’", "'").split())


def main() -> None:
    kept: dict[str, tuple[str, str]] = {}
    for package in PACKAGES:
        before = len(kept)
        for path in catalogues(package):
            for english, french in translations(path):
                # Texts that differ in capitals or punctuation alone would be in the training data and held out.
                same = "".join(character for character in english.lower() if character.isalnum())
                if same and is_short(english) and is_short(french):
                    kept.setdefault(same, (plain(english), plain(french)))
        print(f"{len(kept) - before:,} texts of {package}")
    pairs = list(kept.values())
    random.Random(0).shuffle(pairs)
    held_out = len(pairs) // 10
    write(BUILD / "held-out.tsv", pairs[:held_out])
    write(BUILD / "train.tsv", pairs[held_out:])


def write(path: Path, pairs: list[tuple[str, str]]) -> None:
    """Writes a table of texts."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["english", "french"])
        rows.writerows(pairs)
    print(f"wrote {path}: {len(pairs):,} texts")


if __name__ == "__main__":
    main()
