"""The tools, their scenarios and wordings, and simulators that answer calls."""
