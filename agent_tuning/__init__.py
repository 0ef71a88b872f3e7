"""What a conversation with tools is: records, formats, templates, token ids, packing."""
