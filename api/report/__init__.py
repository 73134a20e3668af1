"""A network on one page for a browser: graph, spec, table, warnings and curves, in a single file."""
