/** Alarms in figures that people read. */
import type { AlarmKind } from '@/api/types'

/** 0.8 of a share is 80%; all else is a whole number. */
export const alarmValue = (kind: AlarmKind, value: number): string =>
  kind === 'in_time' ? `${Math.round(value * 1000) / 10}%` : String(Math.round(value))
