"""What is computed element by element, or over axes."""
