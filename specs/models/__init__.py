"""What can be written: the sections of a spec as pydantic models."""
