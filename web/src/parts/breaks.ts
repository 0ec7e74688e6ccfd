/** Breaks and their limits (小休时限), as desk and wallboard show them. */
import type { Reference, SeatRow } from '@/api/types'

/** Milliseconds until a break is beyond its limit; negative once it is; null when it has none. */
export const breakLeft = (until: string | null | undefined, now: number): number | null =>
  until ? Date.parse(until) - now : null

/** How many are on counted breaks, and how many may be. */
export function away(seats: readonly SeatRow[], reference: Pick<Reference, 'breaks' | 'away_share' | 'away_least'>): { now: number; allowed: number } {
  const counted = new Set(reference.breaks.filter((each) => each.counted).map(({ code }) => code))
  const seated = seats.filter(({ state }) => state !== 'offline')
  return {
    now: seated.filter(({ reason }) => reason !== null && counted.has(reason)).length,
    allowed: Math.max(reference.away_least, Math.floor(seated.length * reference.away_share + 1e-9)),
  }
}
