"""Valid specs with one thing broken: what is said of them, and whether what is let through compiles."""
