"""`callcenter simulate`: a drawn day of callers, against our rules in seconds or against a whole 12345 in real time."""
