"""The audit log (审计日志): who did what, append-only and chained by hashes; read by right, verified by a command."""
