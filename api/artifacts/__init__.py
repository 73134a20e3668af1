"""Files to deploy: executables, libraries for C and trainers, and what is asked of each."""
