"""Loop IR as text, in both directions."""
