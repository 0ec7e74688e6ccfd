"""Texts that citizens send (来信短信): answers to a visit, words for the visitor, and what nobody knows yet."""
