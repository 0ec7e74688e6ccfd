"""The numbers that ring here, each its own service (热线服务): domain-data hotlines, modes unified and parallel.

Merged lines (12349, 12336, ...) have no number of their own any more; sub-centres (12366, ...) answer for themselves.
"""

from typing import Final, NamedTuple


class Service(NamedTuple):
    """A number and what it is called. `code` is what dialplan, ledger and metrics say."""

    number: str
    code: str
    zh: str
    en: str


HOTLINE: Final = "12345"

SERVICES: Final[tuple[Service, ...]] = (
    Service("12345", "unified", "政务服务便民热线", "Unified hotline"),
    Service("12333", "labour", "人社服务", "Labour and social security"),
    Service("12328", "transport", "交通运输服务", "Transport supervision"),
    Service("12315", "consumer", "消费投诉", "Consumer complaints"),
    Service("12319", "city", "城管服务", "City management"),
    Service("12348", "legal", "法律服务", "Legal service"),
    Service("12369", "environment", "环保举报", "Environment reports"),
    Service("12320", "health", "公共卫生", "Public health"),
    Service("12329", "housing_fund", "公积金", "Provident fund"),
    Service("12393", "medical_insurance", "医保", "Medical insurance"),
    Service("12350", "work_safety", "安全生产举报", "Work-safety reports"),
    Service("12338", "women", "妇女维权", "Women's rights"),
    Service("12355", "youth", "青少年服务", "Youth service"),
    Service("12385", "disabled", "残疾人服务", "Disabled persons"),
    Service("12351", "workers", "职工维权", "Workers' rights"),
)

BY_NUMBER: Final = {service.number: service for service in SERVICES}
