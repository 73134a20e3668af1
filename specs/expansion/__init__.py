"""What is written once and means more: blocks, repetition, variables, included files."""
