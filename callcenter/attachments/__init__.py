"""Files that belong to orders (附件): photos, voices, pdf."""
