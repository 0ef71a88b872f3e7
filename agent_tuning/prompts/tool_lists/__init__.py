"""Tool formats: how a prompt lists its tools. Each takes a list of tools and returns its text.

`documents` can be parsed again in their language. `lines` and `signatures` are for people and
models, and cost fewer tokens.
"""
