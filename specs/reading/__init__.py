"""From YAML and JSON to a source tree."""
