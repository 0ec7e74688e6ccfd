"""The number map (号码整合): which old number belongs to whom, and when it became, or becomes, part of 12345."""
