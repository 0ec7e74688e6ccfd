import { describe, expect, it } from 'vitest'
import type { TimeLeft } from '@/api/lists'
import { told } from './left'

const NOW = Date.parse('2026-11-23T02:00:00Z')
const at = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString()
const left = (unit: TimeLeft['unit'], amount: number, over = false): TimeLeft => ({ unit, amount, over, clock: 'T-REPLY', provisional: false })

describe('time that is left', () => {
  it('goes on by the wall, and turns amber ten minutes before', () => {
    expect(told(left('minute', 30), at(30), 0, NOW)).toEqual({ word: 'left_minutes', blanks: { m: 30 }, tone: '' })
    expect(told(left('minute', 30), at(30), 0, NOW + 25 * 60_000)).toEqual({ word: 'left_minutes', blanks: { m: 5 }, tone: 'warn' })
    expect(told(left('minute', 30), at(30), 0, NOW + 95 * 60_000)).toEqual({ word: 'over_hours', blanks: { h: 1, m: 5 }, tone: 'bad' })
    expect(told(left('minute', 3000), at(3000), 0, NOW).word).toBe('left_days')
  })
  it('is told in what counts', () => {
    expect(told(left('working_day', 3), at(5000), 50, NOW)).toEqual({ word: 'left_working_day', blanks: { n: 3 }, tone: '' })
    expect(told(left('working_day', 0), at(600), 0, NOW)).toEqual({ word: 'today', blanks: {}, tone: 'warn' })
    expect(told(left('working_day', 2, true), at(-4000), 100, NOW).word).toBe('over_working_day')
    expect(told(left('working_minute', 150), at(900), 80, NOW)).toEqual({ word: 'left_hours_office', blanks: { h: 2, m: 30 }, tone: 'warn' })
  })
})
