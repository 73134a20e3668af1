"""Where values live, and how a kernel gets at their elements."""
