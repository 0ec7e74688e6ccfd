"""The ledger of calls that were (通话台账): every call once, with one outcome, whatever falls over."""
