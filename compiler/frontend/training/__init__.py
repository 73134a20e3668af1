"""Losses, optimizers, schedules, and what is fitted to the data."""
