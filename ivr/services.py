"""The numbers that ring here, each its own service (热线服务): hotlines of the modes unified, parallel and merged.

A merged line's number is closed, and who dials it is routed to 12345 (domain.md R21): the same greeting, queue and
seats as 12345, and the dialled number on record. Sub-centres (12366, ...) answer for themselves.
"""

from typing import Final, NamedTuple


class Service(NamedTuple):
    """A number and what it is called. `code` is what dialplan, ledger and metrics say; `owner`: a department's code."""

    number: str
    code: str
    owner: str
    zh: str
    en: str


HOTLINE: Final = "12345"

#: 12345 itself, and the lines that are merged in parallel (双号并行).
OPEN: Final[tuple[Service, ...]] = (
    Service("12345", "unified", "D31", "政务服务便民热线", "Unified hotline"),
    Service("12333", "labour", "D12", "人社服务", "Labour and social security"),
    Service("12328", "transport", "D16", "交通运输服务", "Transport supervision"),
    Service("12315", "consumer", "D25", "消费投诉", "Consumer complaints"),
    Service("12319", "city", "D29", "城管服务", "City management"),
    Service("12348", "legal", "D10", "法律服务", "Legal service"),
    Service("12369", "environment", "D14", "环保举报", "Environment reports"),
    Service("12320", "health", "D20", "公共卫生", "Public health"),
    Service("12329", "housing_fund", "D33", "公积金", "Provident fund"),
    Service("12393", "medical_insurance", "D27", "医保", "Medical insurance"),
    Service("12350", "work_safety", "D22", "安全生产举报", "Work-safety reports"),
    Service("12338", "women", "D43", "妇女维权", "Women's rights"),
    Service("12355", "youth", "P01", "青少年服务", "Youth service"),
    Service("12385", "disabled", "D42", "残疾人服务", "Disabled persons"),
    Service("12351", "workers", "D44", "职工维权", "Workers' rights"),
)

#: Lines that have been closed (整合归并).
MERGED: Final[tuple[Service, ...]] = (
    Service("12349", "civil", "D09", "民政服务", "Civil services"),
    Service("12336", "land", "D13", "自然资源违法举报", "Natural-resources violations"),
    Service("12312", "commerce", "D18", "商务举报投诉咨询", "Business-sector reports and complaints"),
    Service("96119", "fire_hazards", "D41", "消防隐患举报", "Fire hazard reports"),
    Service("12396", "science", "D04", "科技服务", "Science service"),
    Service("12318", "culture", "D19", "文化市场举报", "Culture market reports"),
    Service("12301", "tourism", "D19", "旅游服务", "Tourism"),
    Service("12330", "intellectual_property", "D25", "知识产权举报", "Intellectual property reports"),
    Service("12331", "food_and_drugs", "D25", "食药投诉举报", "Food and drug reports"),
    Service("12358", "prices", "D25", "价格举报", "Price reports"),
    Service("12365", "quality", "D25", "质量举报", "Quality reports"),
    Service("12356", "family_planning", "D20", "卫生计生", "Health and family planning"),
    Service("12316", "farming", "D18", "三农服务", "Agriculture service"),
)

SERVICES: Final = (*OPEN, *MERGED)
BY_NUMBER: Final = {service.number: service for service in SERVICES}
