"""`python -m netwright` is the command `netwright`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="netwright")
