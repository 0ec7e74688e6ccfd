import { describe, expect, it } from 'vitest'
import { outline, placeOf, seekBy } from './sound'

describe('the sound of a call', () => {
  it('is drawn as a closed shape within its height', () => {
    const path = outline([0, 127, 64], 30, 20, 40)
    expect(path.startsWith('M') && path.endsWith('Z')).toBe(true)
    const heights = [...path.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map((found) => Number(found[1]))
    expect(Math.min(...heights)).toBe(0)
    expect(Math.max(...heights)).toBe(40)
    expect(outline([], 30, 20, 40)).toBe('')
  })
  it('begins where the person answered, and never outside', () => {
    expect(placeOf('2026-11-22T10:00:07.500Z', '2026-11-22T10:00:00.000Z', 60_000)).toBe(7.5)
    expect(placeOf('2026-11-22T09:59:00.000Z', '2026-11-22T10:00:00.000Z', 60_000)).toBe(0)
    expect(placeOf('2026-11-22T11:00:00.000Z', '2026-11-22T10:00:00.000Z', 60_000)).toBe(60)
    expect(placeOf(null, '2026-11-22T10:00:00.000Z', 60_000)).toBe(0)
  })
  it('is moved through by keys', () => {
    expect(seekBy('ArrowRight', 10, 60)).toBe(15)
    expect(seekBy('ArrowLeft', 3, 60)).toBe(0)
    expect(seekBy('PageUp', 50, 60)).toBe(60)
    expect(seekBy('End', 10, 60)).toBe(60)
    expect(seekBy('a', 10, 60)).toBeNull()
  })
})
