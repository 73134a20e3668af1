"""The metrics of a training as files: lines of JSON, a table, and events for TensorBoard."""
