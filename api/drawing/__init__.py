"""Pictures of networks: what is drawn (`picture`), where it stands (`layout`), and how it is written (`svg`,
`text`). `layers` draws a spec's layers, rolled or unrolled in time; `graphs` draws the compiler's graphs."""
