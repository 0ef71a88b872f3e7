"""Conversations as token ids and loss weights, and the packs they are trained in."""
