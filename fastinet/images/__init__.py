"""Single images: decoding, and Pillow for what the core does not decode itself."""
