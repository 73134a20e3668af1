"""Pictures of networks: their content (`picture`), layout (`layout`), and file formats (`svg`, `text`).

`layers` draws a spec's layers, rolled or unrolled in time; `graphs` draws the compiler's graphs.
"""
