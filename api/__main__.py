"""The process of the command `netwright`, also run as `python -m netwright`."""

from netwright.runtime.training.interrupt import end_on_signals

end_on_signals()  # before the slow imports

from .cli import main  # noqa: E402

if __name__ == "__main__":
    main(prog_name="netwright")
