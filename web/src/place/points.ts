/** Places as points (坐标点): read from what people paste, turned back from GCJ-02, measured, drawn. Pure. */
import type { Point } from '@/api/types'

/** Metres of a degree of a meridian. */
const DEGREE = 111_195.08
const radians = (degrees: number) => (degrees * Math.PI) / 180
const rounded = (degrees: number) => Math.round(degrees * 1e6) / 1e6

/** WGS-84 is what satellites and the city's survey say (CGCS2000); GCJ-02 what Chinese web maps show. */
export type Datum = 'wgs84' | 'gcj02'

/**
 * The point in `22.541, 114.050`, `geo:22.541,114.050` or, as Chinese maps copy it, `114.050,22.541`; null for what is
 * none. Which is which can be told where longitudes are beyond 90°, as in all of China but its far west.
 */
export function read(text: string): Point | null {
  const plain = text.normalize('NFKC').replace(/^\s*geo:/i, '').replace(/[;?].*$/, '').replaceAll('、', ',')
  const found = /^\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*°?\s*[,\s]\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*°?\s*$/.exec(plain)
  if (!found) return null
  const [one, other] = [Number(found[1]), Number(found[2])]
  const [lat, lon] = Math.abs(one) > 90 ? [other, one] : [one, other]
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat: rounded(lat), lon: rounded(lon) } : null
}

export const written = ({ lat, lon }: Point): string => `${lat.toFixed(6)}, ${lon.toFixed(6)}`

/** An address that telephones and computers open in their own map (RFC 5870, whose points are WGS-84). */
export const geo = ({ lat, lon }: Point): string => `geo:${lat.toFixed(6)},${lon.toFixed(6)}`

/** How far two points are from each other, in metres. */
export function metres(one: Point, other: Point): number {
  const up = radians(other.lat - one.lat)
  const across = radians(other.lon - one.lon)
  const a = Math.sin(up / 2) ** 2 + Math.cos(radians(one.lat)) * Math.cos(radians(other.lat)) * Math.sin(across / 2) ** 2
  return 2 * radiusOf() * Math.asin(Math.min(1, Math.sqrt(a)))
}
const radiusOf = () => (DEGREE * 180) / Math.PI

// The ellipsoid of Krasovsky 1940, on which the shift of GCJ-02 is reckoned.
const AXIS = 6_378_245
const FLAT = 0.00669342162296594

/** Where Chinese web maps draw a point. Outside of China they draw it where it is. */
export function shifted({ lat, lon }: Point): Point {
  if (lon < 72.004 || lon > 137.8347 || lat < 0.8293 || lat > 55.8271) return { lat, lon }
  const x = lon - 105
  const y = lat - 35
  const wave = (each: number, ...parts: readonly (readonly [number, number])[]) =>
    parts.reduce((sum, [size, length]) => sum + (size * 2 * Math.sin(each * Math.PI * length)) / 3, 0)
  const root = Math.sqrt(Math.abs(x))
  const north =
    -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root +
    wave(x, [20, 6], [20, 2]) + wave(y, [20, 1], [40, 1 / 3], [160, 1 / 12], [320, 1 / 30])
  const east =
    300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root +
    wave(x, [20, 6], [20, 2], [20, 1], [40, 1 / 3], [150, 1 / 12], [300, 1 / 30])
  const flat = 1 - FLAT * Math.sin(radians(lat)) ** 2
  const meridian = (AXIS * (1 - FLAT)) / (flat * Math.sqrt(flat))
  const circle = (AXIS / Math.sqrt(flat)) * Math.cos(radians(lat))
  return { lat: lat + (north * 180) / (meridian * Math.PI), lon: lon + (east * 180) / (circle * Math.PI) }
}

/** The point that Chinese web maps draw there. */
export function unshifted(drawn: Point): Point {
  let found = drawn
  for (let step = 0; step < 4; step++) {
    const there = shifted(found)
    found = { lat: found.lat + drawn.lat - there.lat, lon: found.lon + drawn.lon - there.lon }
  }
  return { lat: rounded(found.lat), lon: rounded(found.lon) }
}

/** Where points are in a picture of so many units width, whose middle is `middle`; `span`: metres from side to side. */
export interface View {
  middle: Point
  span: number
  width: number
  height: number
}

const across = ({ middle }: View) => DEGREE * Math.cos(radians(middle.lat))

export function place(view: View, point: Point): { x: number; y: number } {
  const scale = view.width / view.span
  return {
    x: view.width / 2 + (point.lon - view.middle.lon) * across(view) * scale,
    y: view.height / 2 - (point.lat - view.middle.lat) * DEGREE * scale,
  }
}

export function at(view: View, x: number, y: number): Point {
  const scale = view.span / view.width
  return {
    lat: rounded(view.middle.lat - ((y - view.height / 2) * scale) / DEGREE),
    lon: rounded(view.middle.lon + ((x - view.width / 2) * scale) / across(view)),
  }
}

/** What a view may be wide, in metres, from a street corner to a city. */
export const SPANS: readonly number[] = [250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000]
/** A fifth of each: how far the lines of its grid are from each other, and how long its scale is. */
export const step = (span: number): number => span / 5
