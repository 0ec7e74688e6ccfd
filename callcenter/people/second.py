"""The second person (两人复核): what one has proposed, somebody else decides; who proposed it can only take it back."""

from callcenter.api import Problem


def check_second(proposed_by: str, login: str, *, withdraws: bool = False) -> None:
    """Let the right one decide.

    Args:
        proposed_by: the login of who proposed it; `login`: of who decides now.
        withdraws: the decision takes the proposal back.

    Raises Problem: 403 `second_person`, `not_yours`.
    """
    if withdraws and proposed_by != login:
        raise Problem(403, "not_yours", "只能撤回自己的提议", "Only your own proposals can be taken back")
    if not withdraws and proposed_by == login:
        zh, en = "须由提议人以外的人复核", "Somebody else than its proposer must decide"
        raise Problem(403, "second_person", zh, en)
