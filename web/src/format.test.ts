import { describe, expect, it } from 'vitest'
import { clock, day, dayTime, dueTime, duration, elapsed, hourMinute, percent, seconds } from './format'

const ZONE = 'Asia/Shanghai'

describe('durations', () => {
  it('count up', () => {
    expect(duration(0)).toBe('0:00')
    expect(duration(7_999)).toBe('0:07')
    expect(duration(725_000)).toBe('12:05')
    expect(duration(3_723_000)).toBe('1:02:03')
  })
  it('never show less than nothing, and nothing as a dash', () => {
    expect(duration(-400)).toBe('0:00')
    expect(duration(null)).toBe('—')
    expect(duration(NaN)).toBe('—')
    expect(elapsed(null, 0)).toBe('—')
    expect(elapsed('2026-11-22T02:00:00.000Z', Date.parse('2026-11-22T02:01:05.500Z'))).toBe('1:05')
  })
  it('cut seconds, so that 15.099 s does not read 15.1', () => {
    expect(seconds(15_099)).toBe('15.0')
    expect(seconds(null)).toBe('—')
  })
})

describe('shares', () => {
  it('are cut, so that no goal seems reached before it is', () => {
    expect(percent(0.9496)).toBe('94.9%')
    expect(percent(0.99999)).toBe('99.9%')
    expect(percent(1)).toBe('100%')
    expect(percent(0)).toBe('0.0%')
  })
  it('forgive floats: 0.29 is 29.0 %, 0.57 is 57.0 %', () => {
    expect(percent(0.29)).toBe('29.0%')
    expect(percent(0.57)).toBe('57.0%')
    for (let part = 0; part <= 1000; part++) expect(percent(part / 1000)).toBe(part === 1000 ? '100%' : `${(part / 10).toFixed(1)}%`)
  })
  it('are a dash when there is no call', () => {
    expect(percent(null)).toBe('—')
    expect(percent(undefined)).toBe('—')
    expect(percent(0 / 0)).toBe('—')
  })
})

describe('times', () => {
  it("are the city's, wherever the screen stands", () => {
    expect(clock('2026-11-22T02:32:05.123Z', ZONE)).toBe('10:32:05')
    expect(hourMinute('2026-11-22T16:05:00.000Z', ZONE)).toBe('00:05')
    expect(day('2026-11-22T16:05:00.000Z', ZONE)).toBe('2026-11-23')
    expect(clock('2026-11-22T02:32:05.123Z', 'UTC')).toBe('02:32:05')
  })
  it('leave out this year, and no other', () => {
    const now = Date.parse('2026-11-22T02:00:00.000Z')
    expect(dayTime('2026-03-01T02:32:05.000Z', ZONE, now)).toBe('03-01 10:32')
    expect(dayTime('2025-03-01T02:32:05.000Z', ZONE, now)).toBe('2025-03-01 10:32')
  })
  it('are a dash when there is none', () => {
    expect(clock(null, ZONE)).toBe('—')
    expect(clock('nonsense', ZONE)).toBe('—')
  })
})

describe('the end of a limit', () => {
  const now = Date.parse('2026-11-22T02:00:00Z')
  it('is that of its last day when it ends at midnight', () => {
    expect(dueTime('2026-12-03T16:00:00.000Z', ZONE, now)).toBe('12-03 24:00')
    expect(dueTime('2026-12-31T16:00:00.000Z', ZONE, now)).toBe('12-31 24:00')
    expect(dueTime('2026-12-03T15:59:00.000Z', ZONE, now)).toBe('12-03 23:59')
    expect(dueTime(null, ZONE, now)).toBe('—')
  })
})
