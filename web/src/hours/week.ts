/** Days of the week, told from YYYY-MM-DD alone: no time zone can shift them; and a city's moments. */
import { clock, day } from '@/format'

const ZH = ['周日', '周一', '周二', '周三', '周四', '周五', '周六']
const EN = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

export function weekdayOf(day: string, zh: boolean): string {
  const n = new Date(`${day}T00:00:00Z`).getUTCDay()
  return (zh ? ZH : EN)[n] ?? ''
}

/** 570 -> `09:30` */
export function clockOf(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}

/** The moment at which clocks of the zone show `2026-11-22T10:30`, in UTC. */
export function momentIn(zone: string, local: string): string {
  const guess = Date.parse(`${local}:00Z`)
  const at = new Date(guess).toISOString()
  const shown = Date.parse(`${day(at, zone)}T${clock(at, zone)}Z`)
  return new Date(2 * guess - shown).toISOString()
}
