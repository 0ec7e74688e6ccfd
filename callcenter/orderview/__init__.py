"""What a page shows beside an order (工单页面): the words of the tables, the order's calls, the people named in it."""
