"""Making smoke records: what runs in the image, how it is run, what is written and signed."""
