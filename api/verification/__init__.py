"""Checks of compiled files from outside."""
