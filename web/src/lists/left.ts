/** How much time is left, in words: what counts is told by the service; minutes by the wall go on here. */
import type { TimeLeft } from '@/api/lists'

export interface Told {
  /** A key below `left`. */
  word: string
  /** What fills its blanks. */
  blanks: Record<string, number>
  tone: 'bad' | 'warn' | ''
}

/** `reminded`: the last per cent of the limit that was told; `now`: ms since the epoch. */
export function told(left: TimeLeft | null, dueAt: string, reminded: number, now: number): Told {
  const wall = (Date.parse(dueAt) - now) / 60_000
  const over = wall < 0
  const unit = left?.unit ?? 'minute'
  const minutes = unit === 'minute' ? Math.floor(Math.abs(wall)) : (left?.amount ?? 0)
  const tone = over ? 'bad' : reminded >= 80 || (unit === 'minute' && wall < 10) ? 'warn' : ''
  const way = over ? 'over' : 'left'
  if (unit === 'working_day' || unit === 'day') {
    const n = left?.amount ?? 0
    if (!n) return { word: over ? 'over_today' : 'today', blanks: {}, tone: over ? 'bad' : 'warn' }
    return { word: `${way}_${unit}`, blanks: { n }, tone }
  }
  const office = unit === 'working_minute' ? '_office' : ''
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60), minutes % 60]
  if (!office && days >= 2) return { word: `${way}_days`, blanks: { n: days, h: hours % 24 }, tone }
  if (hours) return { word: `${way}_hours${office}`, blanks: { h: hours, m: rest }, tone }
  return { word: `${way}_minutes${office}`, blanks: { m: minutes }, tone }
}
