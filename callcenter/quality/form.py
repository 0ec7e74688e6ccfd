"""Grading forms (质检表) and the sampling rule (抽样规则): data, checked when it comes in.

The first version of each is in `data/`; a city's own ones follow in tables, version after version, and none is changed.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, model_validator

from callcenter.api import WHOLE, Model

DATA: Final = Path(__file__).with_name("data")

_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Words = Annotated[str, Field(min_length=1, max_length=80, pattern=_LINE)]

#: The answers of an item's scale (评分档) and what share of its weight each is worth, in percent. `none` (不适用) takes
#: the item out of the sum.
SCALES: Final[dict[str, dict[str, int | None]]] = {
    "two": {"yes": 100, "no": 0},
    "two_or_none": {"yes": 100, "no": 0, "none": None},
    "three": {"yes": 100, "partly": 50, "no": 0},
    "three_or_none": {"yes": 100, "partly": 50, "no": 0, "none": None},
}


class Item(Model):
    """One point to look at (质检项). A `critical` one (致命项) that is answered `no` zeroes the whole grade."""

    code: Code
    zh: Words
    en: Words
    weight: Annotated[int, Field(ge=0, le=100), WHOLE]
    scale: Literal["two", "two_or_none", "three", "three_or_none"]
    critical: bool = False


class Section(Model):
    code: Code
    zh: Words
    en: Words
    items: Annotated[list[Item], Field(min_length=1, max_length=30)]


class Form(Model):
    """A grading form. `pass_at`: a grade below it needs a reason in words, as does one with a critical item failed.

    `retired` (停用): on this version and from it on nobody is graded; grades that were given keep theirs.
    """

    code: Code
    zh: Words
    en: Words
    pass_at: Annotated[int, Field(ge=0, le=100), WHOLE]
    sections: Annotated[list[Section], Field(min_length=1, max_length=12)]
    retired: bool = False

    @property
    def items(self) -> list[Item]:
        return [item for section in self.sections for item in section.items]

    @model_validator(mode="after")
    def _fits(self) -> "Form":
        codes = Counter(item.code for item in self.items)
        if twice := sorted(code for code, n in codes.items() if n > 1):
            raise ValueError(f"two items are called {twice[0]}")
        if not any(item.weight and "none" not in SCALES[item.scale] for item in self.items):
            raise ValueError("one item at least must count in every call")
        return self


class Stratum(Model):
    """A kind of call of which every agent has `take` drawn, if there are so many."""

    code: Literal["unsatisfied", "transferred", "long", "short"]
    take: Annotated[int, Field(ge=0, le=20), WHOLE]


class Sampling(Model):
    """How many calls of an agent are drawn in a week, and of which kinds first; the rest is drawn from all."""

    per_agent: Annotated[int, Field(ge=1, le=50), WHOLE]
    strata: Annotated[list[Stratum], Field(max_length=4)]
    long_seconds: Annotated[int, Field(ge=1, le=86_400), WHOLE]
    short_seconds: Annotated[int, Field(ge=1, le=86_400), WHOLE]
    appeal_days: Annotated[int, Field(ge=1, le=60), WHOLE]

    @model_validator(mode="after")
    def _fits(self) -> "Sampling":
        if len({stratum.code for stratum in self.strata}) < len(self.strata):
            raise ValueError("a stratum stands there twice")
        if sum(stratum.take for stratum in self.strata) > self.per_agent:
            raise ValueError("the strata take more than an agent's share")
        return self


FIRST_FORM: Final = TypeAdapter(Form).validate_json((DATA / "call.json").read_bytes())
FIRST_SAMPLING: Final = TypeAdapter(Sampling).validate_json((DATA / "sampling.json").read_bytes())
