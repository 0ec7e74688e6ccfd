/** How times and figures are written. Every time is shown in the city's time zone, wherever the screen stands. */

/** Shown where there is no figure. Never 0 % and never NaN. */
export const NONE = '—'

const pad = (value: number) => String(value).padStart(2, '0')

/** `0:07`, `12:05`, `1:02:03`; a clock that seems to run backwards shows 0:00. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return hours ? `${hours}:${pad(minutes % 60)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`
}

/** From `since` to `now` (ms since the epoch). */
export function elapsed(since: string | null | undefined, now: number): string {
  return since ? duration(now - Date.parse(since)) : NONE
}

/** Seconds with one decimal, as a wait is told after the call. */
export function seconds(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? NONE : (Math.floor(ms / 100) / 10).toFixed(1)
}

/** One decimal, cut, not rounded: 94.96 % must not read 95 %. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE
  // 0.29 * 1000 is 290.0 less a hair: forgive floats, not calls.
  const tenths = Math.floor(share * 1000 + 1e-6)
  return tenths === 1000 ? '100%' : `${Math.floor(tenths / 10)}.${tenths % 10}%`
}

const formats = new Map<string, Intl.DateTimeFormat>()

function parts(at: string, zone: string): Record<string, string> | null {
  const time = Date.parse(at)
  if (Number.isNaN(time)) return null
  let format = formats.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
    formats.set(zone, format)
  }
  return Object.fromEntries(format.formatToParts(time).map((part) => [part.type, part.value]))
}

/** `10:32:05` */
export function clock(at: string | null | undefined, zone: string): string {
  const part = at ? parts(at, zone) : null
  return part ? `${part.hour}:${part.minute}:${part.second}` : NONE
}

/** `10:32` */
export function hourMinute(at: string | null | undefined, zone: string): string {
  return at ? clock(at, zone).slice(0, 5) : NONE
}

/** `2026-11-22` */
export function day(at: string | null | undefined, zone: string): string {
  const part = at ? parts(at, zone) : null
  return part ? `${part.year}-${part.month}-${part.day}` : NONE
}

/** What is typed as `2026-11-22T10:32`, in the city's time: with its offset from UTC, as the service takes it. */
export function withOffset(local: string, zone: string): string {
  const names = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(new Date(`${local}:00Z`))
  const offset = names.find(({ type }) => type === 'timeZoneName')?.value.replace('GMT', '')
  return `${local}:00${offset || '+00:00'}`
}

/** `11-22 10:32`, with the year when it is not the year of `now`. */
export function dayTime(at: string | null | undefined, zone: string, now: number): string {
  if (!at) return NONE
  const date = day(at, zone)
  const thisYear = day(new Date(now).toISOString(), zone).slice(0, 4)
  return `${date.startsWith(thisYear) ? date.slice(5) : date} ${hourMinute(at, zone)}`
}

/** When a time limit is over: one that ends at midnight ends with its last day, `12-03 24:00`. */
export function dueTime(at: string | null | undefined, zone: string, now: number): string {
  if (!at || clock(at, zone) !== '00:00:00') return dayTime(at, zone, now)
  const last = new Date(Date.parse(at) - 1).toISOString()
  return `${dayTime(last, zone, now).slice(0, -5)}24:00`
}
