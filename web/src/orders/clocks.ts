/** Time limits on the screen (时限): what is left of one, or by how much it is over. Pure. */
import type { OrderClock, Turn } from '@/api/orders'

const DAY_MS = 86_400_000
const UNIT_MS: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  working_hour: 3_600_000,
  working_day: DAY_MS,
  day: DAY_MS,
}

/** How a clock stands. `ms`: what is left while it runs or is paused, else by how much it is or was late. */
export interface Reading {
  is: 'running' | 'paused' | 'late' | 'met' | 'met_late' | 'dropped'
  ms: number
  /** It runs, but not now: a day off, or outside office hours. */
  still: boolean
}

/** How long a clock turns from `now` on (ms since the epoch). */
export const left = (turns: readonly Turn[], now: number): number =>
  turns.reduce((sum, { since, until }) => sum + Math.max(0, Date.parse(until) - Math.max(now, Date.parse(since))), 0)

export function read(clock: OrderClock, now: number): Reading {
  const due = Date.parse(clock.due_at)
  if (clock.ended_at !== null) {
    const ms = Math.max(0, Date.parse(clock.ended_at) - due)
    return { is: clock.dropped ? 'dropped' : clock.late ? 'met_late' : 'met', ms, still: false }
  }
  const at = clock.paused_at === null ? now : Date.parse(clock.paused_at)
  if (at > due) return { is: 'late', ms: at - due, still: false }
  if (clock.paused_at !== null) return { is: 'paused', ms: left(clock.turns, at), still: false }
  const turning = clock.turns.some(({ since, until }) => Date.parse(since) <= now && now < Date.parse(until))
  return { is: 'running', ms: left(clock.turns, now), still: !turning }
}

/** Whole days of a reading, and what remains below a day. Hours stay hours up to two days. */
export function days(clock: Pick<OrderClock, 'unit'>, ms: number): { days: number; rest: number } {
  const inDays = clock.unit.endsWith('day') || (clock.unit !== 'working_hour' && ms > 2 * DAY_MS)
  const whole = inDays ? Math.floor(ms / DAY_MS) : 0
  return { days: whole, rest: ms - whole * DAY_MS }
}

/** `bad` when it is over, `warn` when less than a fifth of it is left. */
export function tone(clock: OrderClock, reading: Reading): 'bad' | 'warn' | '' {
  if (reading.is === 'late' || reading.is === 'met_late') return 'bad'
  const whole = (clock.value + clock.extended) * (UNIT_MS[clock.unit] ?? DAY_MS)
  return reading.is === 'running' && reading.ms < whole / 5 ? 'warn' : ''
}

/** What is due first among those that run: first what somebody must do, then the rest; those that are over last. */
export function sorted(clocks: readonly OrderClock[]): OrderClock[] {
  const rank = (clock: OrderClock) => (clock.ended_at !== null ? 2 : clock.work ? 0 : 1)
  return [...clocks].sort((a, b) => rank(a) - rank(b) || Date.parse(a.due_at) - Date.parse(b.due_at))
}
