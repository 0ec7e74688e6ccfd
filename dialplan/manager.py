"""The manager interface: two accounts with the least rights, and the events that may leave Asterisk (B5, B6, B9)."""

from dialplan import names


def manager_conf(*, host: str, port: int, events_secret: str, actions_secret: str) -> str:
    """The whole file; it holds secrets. No account has `command`, `system` or `config`."""
    filters = "\n".join(f"eventfilter(action(include),name({event})) =" for event in names.HEARD)
    return f"""[general]
enabled = yes
bindaddr = {host}
port = {port}
displayconnects = no
timestampevents = yes ; microseconds from Asterisk's own clock (B10)
allowmultiplelogin = yes
authtimeout = 5
authlimit = 20
webenabled = no

[{names.EVENTS_USER}]
secret = {events_secret}
deny = 0.0.0.0/0.0.0.0
permit = {host}/255.255.255.255
read = agent,call,user
write = reporting
writetimeout = 5000 ; 100 ms, the default, cuts a busy reader off in mid-frame (B1)
{filters}

[{names.ACTIONS_USER}]
secret = {actions_secret}
deny = 0.0.0.0/0.0.0.0
permit = {host}/255.255.255.255
read =
write = agent,call,reporting
writetimeout = 5000
"""
