"""Transfers (转接): a call passed on, asked about, shared with a third, and handed to 110."""
