"""A source text as a tree: where every key and value stands, and what plain scalars mean."""
