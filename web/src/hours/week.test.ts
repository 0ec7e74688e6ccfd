import { expect, test } from 'vitest'
import { clockOf, momentIn, weekdayOf } from './week'

test('a day of the week is that of the calendar', () => {
  expect(weekdayOf('2026-11-22', true)).toBe('周日')
  expect(weekdayOf('2026-02-14', false)).toBe('Sat')
})

test('minutes are told as a clock tells them', () => {
  expect(clockOf(570)).toBe('09:30')
  expect(clockOf(1440)).toBe('24:00')
})

test('a moment of the city is told in UTC', () => {
  expect(momentIn('Asia/Shanghai', '2026-11-22T07:30')).toBe('2026-11-21T23:30:00.000Z')
  expect(momentIn('Europe/Berlin', '2026-07-01T07:30')).toBe('2026-07-01T05:30:00.000Z')
})
