import { describe, expect, it } from 'vitest'
import { byPerson, CELLS, covered, marks, painted, shiftAt, told, unserved } from './roster'

const shift = (start: string, end: string, login = 'a') => ({ login, start, end, queue: null })

describe('a day of half-hours', () => {
  it('shows what a shift touches, and what reaches in from the day before', () => {
    const cells = marks([shift('08:00', '09:30')], [shift('22:00', '01:00')])
    expect(cells.flatMap((on, n) => (on ? [n] : []))).toEqual([0, 1, 16, 17, 18])
    expect(marks([shift('00:00', '00:00')]).every(Boolean)).toBe(true)
  })
  it('counts only half-hours that are worked whole', () => {
    const count = covered(byPerson([shift('08:15', '09:15'), shift('08:00', '09:00', 'b')]), {})
    expect(count.slice(16, 19)).toEqual([1, 2, 0])
    expect(count).toHaveLength(CELLS)
  })
})

describe('queues', () => {
  const queues = ['citizen', 'english']
  it('names those that nobody on duty serves', () => {
    const draft = byPerson([shift('08:00', '10:00'), { ...shift('09:00', '11:00', 'b'), queue: 'english' }])
    const found = unserved(draft, {}, queues, { a: ['citizen'], b: queues })
    expect(found.slice(15, 22)).toEqual([queues, ['english'], ['english'], [], [], ['citizen'], ['citizen']])
  })
})

describe('painting', () => {
  it('joins what touches, and keeps minutes that are not of the grid', () => {
    expect(painted('a', [], 16, 31, true).map(told)).toEqual(['08:00–16:00'])
    expect(painted('a', [shift('06:10', '08:00')], 16, 16, true).map(told)).toEqual(['06:10–08:30'])
    expect(painted('a', [shift('06:00', '08:00'), shift('12:00', '14:00')], 16, 23, true).map(told)).toEqual(['06:00–14:00'])
  })
  it('cuts, and leaves the night after midnight alone', () => {
    expect(painted('a', [shift('08:00', '16:00')], 24, 25, false).map(told)).toEqual(['08:00–12:00', '13:00–16:00'])
    expect(painted('a', [shift('22:00', '06:00')], 44, 45, false).map(told)).toEqual(['23:00–06:00'])
    expect(painted('a', [shift('22:00', '06:00')], 44, 47, false)).toEqual([])
    expect(painted('a', [shift('22:00', '06:00')], 0, 3, false).map(told)).toEqual(['22:00–06:00'])
  })
  it('keeps queues apart: a shift of another queue gives way, one of the same is joined', () => {
    const english = { ...shift('08:00', '12:00'), queue: 'english' }
    const shown = (shifts: ReturnType<typeof painted>) => shifts.map((each) => `${told(each)} ${each.queue}`)
    expect(shown(painted('a', [english], 20, 21, true))).toEqual(['08:00–10:00 english', '10:00–11:00 null', '11:00–12:00 english'])
    expect(shown(painted('a', [english], 24, 25, true, 'english'))).toEqual(['08:00–13:00 english'])
    expect(shown(painted('a', [english], 24, 25, true))).toEqual(['08:00–12:00 english', '12:00–13:00 null'])
    expect(shiftAt([english], 23)?.queue).toBe('english')
    expect(shiftAt([english], 24)).toBeUndefined()
  })
  it('goes both ways and to the end of the day', () => {
    expect(painted('a', [], 47, 40, true).map(told)).toEqual(['20:00–00:00'])
    expect(painted('a', [shift('20:00', '00:00')], 40, 47, false)).toEqual([])
  })
})
