"""What waits for whom (收件箱): one list by due time, for everybody who has a part in an order."""
