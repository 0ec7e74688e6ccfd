import { describe, expect, it } from 'vitest'
import { at, metres, place, read, shifted, unshifted } from './points'

const CENTRE = { lat: 22.543, lon: 114.0579 }

describe('a point', () => {
  it.each([
    ['22.543,114.0579', CENTRE],
    ['  22.5430， 114.0579 ', CENTRE],
    ['114.0579, 22.543', CENTRE],
    ['geo:22.543,114.0579?z=17', CENTRE],
    ['22.543 114.0579', CENTRE],
    ['-33.8688, 151.2093', { lat: -33.8688, lon: 151.2093 }],
    ['22.543', null],
    ['22.543, 181', null],
    ['114, 95', null],
    ['南园路 12 号', null],
    ['1e9,2', null],
    ['', null],
  ])('is read from %j', (text, point) => {
    expect(read(text)).toEqual(point)
  })

  it('is moved by some hundred metres on Chinese web maps, and can be moved back', () => {
    const drawn = shifted(CENTRE)
    expect(metres(CENTRE, drawn)).toBeGreaterThan(300)
    expect(metres(CENTRE, drawn)).toBeLessThan(800)
    expect(metres(CENTRE, unshifted(drawn))).toBeLessThan(0.5)
    expect(shifted({ lat: 48.85, lon: 2.35 })).toEqual({ lat: 48.85, lon: 2.35 })
  })

  it('comes back from where it was drawn', () => {
    const view = { middle: CENTRE, span: 5000, width: 640, height: 360 }
    const there = place(view, { lat: 22.55, lon: 114.07 })
    expect(metres(at(view, there.x, there.y), { lat: 22.55, lon: 114.07 })).toBeLessThan(1)
    // To the east is to the right, to the north is up, and a metre is a metre both ways.
    const corner = at(view, 640, 0)
    expect(corner.lon).toBeGreaterThan(CENTRE.lon)
    expect(corner.lat).toBeGreaterThan(CENTRE.lat)
    expect(metres(at(view, 0, 180), at(view, 640, 180))).toBeCloseTo(5000, -1)
    expect(metres(at(view, 320, 0), at(view, 320, 360))).toBeCloseTo(5000 * (360 / 640), -1)
  })
})
