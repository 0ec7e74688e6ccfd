"""Orders that belong together (并单、拆单、重复): merge candidates, siblings of a call, what a caller repeats."""
