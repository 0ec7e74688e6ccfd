"""Steps that tell a fact, for places from which the service may move the channel at once."""

from dialplan import names


def tell(word: str, payload: str) -> list[str]:
    """What `[say]` does (dialplan/extensions.py), with nothing between the telling and the next step.

    Whoever hears of the fact may redirect the channel, and a Redirect that comes while a Gosub returns is lost: Return
    puts the channel back to where it was called from (seen on 22.10.1). So it is told in place, by AMI last.
    """
    return [
        f" same => n,CELGenUserEvent({word},{payload})",
        f" same => n,UserEvent({word},{names.PAYLOAD}: {payload})",
    ]
