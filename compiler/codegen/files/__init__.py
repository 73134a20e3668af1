"""Programs as files: objects, executables, pages."""
