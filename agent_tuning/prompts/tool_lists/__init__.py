"""Tool formats: how a prompt lists its tools. Each takes a menu and returns its text.

`documents` are read back by any parser of their language; `lines` and `signatures` are for people
and models, and cheaper in tokens.
"""
