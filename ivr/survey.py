"""The two questions after a talk (满意度评价): was it solved (解决率), is the citizen satisfied (满意率).

The rating is free and costs no time of a person's (GB/T 39734-2020); who hangs up has given none, and is counted so.
Three steps of satisfaction, as the strict and the broad rate of domain.md K21 need them.
"""

from typing import Final, NamedTuple


class Question(NamedTuple):
    """One question. `keys`: the key pressed -> the answer as the ledger keeps it."""

    code: str
    prompt: str
    keys: dict[str, str]


QUESTIONS: Final = (
    Question("solved", "survey-solved", {"1": "yes", "2": "no"}),
    Question("satisfied", "survey-satisfied", {"1": "satisfied", "2": "basically", "3": "dissatisfied"}),
)
BY_CODE: Final = {question.code: question for question in QUESTIONS}

THANKS: Final = "survey-thanks"
TRIES: Final = 2
ANSWER_SECONDS: Final = 5
