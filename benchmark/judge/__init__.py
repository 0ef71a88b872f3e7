"""A chat model rates answers and drafted golds by the bands of people, and is measured by them."""
