"""The manager interface: two accounts with the least rights, and the events that may leave Asterisk (B5, B6, B9)."""

from dialplan import names


def manager_conf(*, host: str, port: int, match: tuple[str, ...], events_secret: str, actions_secret: str) -> str:
    """The whole file; it holds secrets. No account has `command`, `system` or `config`.

    `match`: addresses or networks from which a login is taken, beside `host` itself; all others are denied.
    """
    filters = [f"eventfilter(action(include),name({event})) =" for event in names.HEARD]
    # The queue tells whom it rings by AgentCalled; its DialBegin, twice as long, says nothing more.
    filters.append(
        f"eventfilter(action(include),name(DialBegin),header(Context),method(exact)) = {names.DIRECT_CONTEXT}"
    )
    # Our own calls to citizens have no caller's channel, and so no Context.
    filters.append(
        f"eventfilter(action(include),name(DialBegin),header(DestContext),method(exact)) = {names.DIALLED_CONTEXT}"
    )
    # Phones only: app_queue invents a device for each queue and each pause, two thirds of these events.
    filters.append("eventfilter(action(include),name(DeviceStateChange),header(Device),method(starts_with)) = PJSIP/")
    filters += [
        f"eventfilter(action(exclude),name(DeviceStateChange),header(Device),method(starts_with)) = PJSIP/{name}"
        for name in (names.TRUNK, names.OUTSIDE, names.CITIZENS)
    ]
    # A busy phone can be reached; that it is busy is told by the call itself.
    filters.append("eventfilter(action(exclude),name(DeviceStateChange),header(State),method(exact)) = BUSY")
    permits = [f"permit = {network}" for network in (f"{host}/32", *match)]
    newline = "\n"  # a backslash may not stand inside an f-string before Python 3.12
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
{newline.join(permits)}
read = agent,call,user
write = reporting
writetimeout = 5000 ; 100 ms, the default, cuts a busy reader off in mid-frame (B1)
{newline.join(filters)}

[{names.ACTIONS_USER}]
secret = {actions_secret}
deny = 0.0.0.0/0.0.0.0
{newline.join(permits)}
read =
write = agent,call,originate,reporting
writetimeout = 5000
"""
