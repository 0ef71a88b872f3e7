"""Everything a prompt can look like: templates, tool lists, and the formats of a reply."""
