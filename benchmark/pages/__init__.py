"""One self-contained page to search through many rows: answers, comparisons, training examples."""
