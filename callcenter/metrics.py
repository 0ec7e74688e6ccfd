"""Every Prometheus object. Names begin with callcenter_ and carry their unit; no label holds anything of a caller."""

from typing import Final

from prometheus_client import Histogram

HTTP_SECONDS: Final = Histogram(
    "callcenter_http_request_duration_seconds",
    "Time to answer an HTTP request, by route and never by address",
    ("method", "route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
