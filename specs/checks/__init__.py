"""What can be checked without shapes: sections, names, who reads whom."""
