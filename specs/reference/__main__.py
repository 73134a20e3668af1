"""Prints docs/language.md."""

from .document import document

if __name__ == "__main__":
    print(document(), end="")
