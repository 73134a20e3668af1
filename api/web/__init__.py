"""`compile --emit web`: a page that runs a network in the browser."""
