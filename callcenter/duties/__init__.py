"""The list of responsibilities (职责清单): which unit leads what, where, and on which basis; changed by people."""
