"""A place as a point (坐标点), and what is near it. Pure.

Points are WGS-84, in degrees; CGCS2000, in which cities survey, agrees with it to within a metre. What Chinese web maps
show is moved by some hundred metres (GCJ-02): the page turns that back before it comes here.
"""

import re
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from callcenter.api import Model

#: Metres of the mean radius of the Earth (IUGG), and of a degree of a meridian.
RADIUS: Final = 6_371_008.8
DEGREE: Final = RADIUS * radians(1)


_WRITTEN: Final = re.compile(r"(-?\d{1,2}\.\d{1,6}), (-?\d{1,3}\.\d{1,6})", re.ASCII)


class Point(Model):
    """A place: latitude (纬度) and longitude (经度), WGS-84, in degrees."""

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Box(NamedTuple):
    """What lies about a point, between two latitudes and two longitudes."""

    south: float
    north: float
    west: float
    east: float


def metres(one: Point, other: Point) -> float:
    """How far two points are from each other on the ground, by the haversine."""
    a, b = radians(one.lat), radians(other.lat)
    turned = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other.lon - one.lon) / 2) ** 2
    return 2 * RADIUS * asin(min(1.0, sqrt(turned)))


def about(point: Point, reach: float) -> Box:
    """A box that holds all that is within `reach` metres: for an index; who asks still measures. Not at the poles."""
    up = reach / DEGREE
    across = up / max(0.01, cos(radians(min(89.0, abs(point.lat) + up))))
    return Box(point.lat - up, point.lat + up, point.lon - across, point.lon + across)


def written(point: Point) -> str:
    """A point as text, `22.541000, 114.050000`: to some ten centimetres."""
    return f"{point.lat:.6f}, {point.lon:.6f}"


def read(text: str) -> Point | None:
    """The point in a text that has the form of `written`; None for what is none."""
    found = _WRITTEN.fullmatch(text)
    lat, lon = (float(found[1]), float(found[2])) if found else (91.0, 0.0)
    return Point(lat=lat, lon=lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def of_row(lat: float | None, lon: float | None) -> Point | None:
    """The point of an order's row; None when it has none."""
    return Point(lat=lat, lon=lon) if lat is not None and lon is not None else None
