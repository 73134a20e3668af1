"""The language server: what an editor shows while a spec is being written.

Where the cursor is and what names there are comes from the text as it stands, of which the loader reads all that can be
read, since a text that is being typed is broken most of the time (`cursor`); shapes and diagnostics come from the last
full check (`analysis`).
Only `server` knows the protocol.
"""
