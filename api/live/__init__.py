"""What a training prints while it runs: a live view on a terminal (`view`), a table of epochs anywhere (`epochs`)."""
