"""Texts and messages about orders (通知): words, gateways, the sender."""
