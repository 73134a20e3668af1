"""From specs to graphs, through ``build.build_network``."""
