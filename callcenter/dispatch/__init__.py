"""The dispatch desk (派单台): which unit an order should go to, and why; a person decides."""
