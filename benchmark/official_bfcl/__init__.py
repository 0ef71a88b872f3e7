"""BFCL's own score of a served model: its questions, its multi-turn simulations, its checker.

All but `results_table` runs in `.venv-bfcl`, which `requirements.lock` here pins.
"""
