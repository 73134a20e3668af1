"""From pydantic's errors to diagnostics."""
