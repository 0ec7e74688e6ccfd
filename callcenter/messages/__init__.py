"""Messages of supervisors to agents (班长消息): kept until read, with a receipt for each."""
