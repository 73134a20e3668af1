"""From specs to graphs. ``build.build_network`` is the way in."""
