/** A day's roster as a grid of half-hours, and back. Pure. */
import type { RosterShift } from '@/api/types'

export const CELLS = 48
const MINUTES = 30

/** One person's day: for each half-hour whether they are on duty. */
export type Marks = readonly boolean[]
export type Draft = Readonly<Record<string, readonly RosterShift[]>>

const minutes = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5))
const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60) % 24).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

/** Where a shift ends, in minutes after the midnight with which its day began. */
export const lasts = (shift: RosterShift): number => {
  const end = minutes(shift.end)
  return end > minutes(shift.start) ? end : end + 1440
}

/** Half-hours that shifts touch; `over`: shifts of the day before, which may reach into this one. */
export function marks(shifts: readonly RosterShift[], over: readonly RosterShift[] = []): boolean[] {
  const cells = new Array<boolean>(CELLS).fill(false)
  const fill = (from: number, to: number) => {
    for (let n = Math.max(0, Math.floor(from / MINUTES)); n < Math.min(CELLS, Math.ceil(to / MINUTES)); n++) cells[n] = true
  }
  for (const shift of shifts) fill(minutes(shift.start), lasts(shift))
  for (const shift of over) fill(minutes(shift.start) - 1440, lasts(shift) - 1440)
  return cells
}

/** How many people work each half-hour whole; `counts` says which shifts count. */
export function covered(draft: Draft, over: Draft, counts: (shift: RosterShift) => boolean = () => true): number[] {
  const count = new Array<number>(CELLS).fill(0)
  const add = (from: number, to: number) => {
    for (let n = Math.max(0, Math.ceil(from / MINUTES)); n < Math.min(CELLS, Math.floor(to / MINUTES)); n++)
      count[n] = (count[n] ?? 0) + 1
  }
  const all = (shifts: Draft) => Object.values(shifts).flat().filter(counts)
  for (const each of all(draft)) add(minutes(each.start), lasts(each))
  for (const each of all(over)) add(minutes(each.start) - 1440, lasts(each) - 1440)
  return count
}

/** For each half-hour the queues that nobody on duty serves; `serves`: queues by login. */
export function unserved(draft: Draft, over: Draft, queues: readonly string[], serves: Readonly<Record<string, readonly string[]>>): string[][] {
  const alone = queues.map((code) =>
    covered(draft, over, ({ login, queue }) => (queue ?? code) === code && (serves[login] ?? []).includes(code)),
  )
  return Array.from({ length: CELLS }, (_, n) => queues.filter((_code, at) => !alone[at]?.[n]))
}

/** The shift that a half-hour belongs to, of those that begin on this day. */
export const shiftAt = (shifts: readonly RosterShift[], cell: number): RosterShift | undefined =>
  shifts.find((shift) => Math.floor(minutes(shift.start) / MINUTES) <= cell && cell < Math.ceil(lasts(shift) / MINUTES))

/**
 * A person's shifts with the half-hours from `from` to `to` (both included) on or off; on for one queue, or with null
 * for the pool. Shifts that are not touched stay as they are, to the minute; the last one keeps the part that lies after
 * midnight.
 */
export function painted(
  login: string,
  shifts: readonly RosterShift[],
  from: number,
  to: number,
  on: boolean,
  queue: string | null = null,
): RosterShift[] {
  const [start, end] = [Math.min(from, to) * MINUTES, (Math.max(from, to) + 1) * MINUTES]
  const before = shifts.map((shift) => ({ from: minutes(shift.start), to: lasts(shift), queue: shift.queue }))
  const joined = on ? before.filter((span) => span.queue === queue && span.from <= end && span.to >= start) : []
  const spans = before
    .filter((span) => !joined.includes(span))
    .flatMap((span) =>
      [
        { ...span, to: Math.min(span.to, start) },
        { ...span, from: Math.max(span.from, end) },
      ].filter((part) => part.to > part.from && part.from < 1440),
    )
  if (on) {
    spans.push({
      from: Math.min(start, ...joined.map((span) => span.from)),
      to: Math.max(end, ...joined.map((span) => span.to)),
      queue,
    })
  }
  return spans
    .sort((a, b) => a.from - b.from)
    .map((span) => ({ login, start: clock(span.from), end: clock(span.to), queue: span.queue }))
}

/** Shifts by person. */
export function byPerson(shifts: readonly RosterShift[]): Draft {
  const found: Record<string, RosterShift[]> = {}
  for (const { login, start, end, queue } of shifts) (found[login] ??= []).push({ login, start, end, queue })
  return found
}

/** `00:00–08:00`, for people. */
export const told = (shift: RosterShift): string => `${shift.start}–${shift.end}`

/** The clock at which a half-hour begins. */
export const cellClock = (n: number): string => clock(n * MINUTES)
