import { describe, expect, it } from 'vitest'
import type { GradeForm } from '@/api/types'
import form from '../../../callcenter/quality/data/call.json'
import { type Answers, items, MARKS, score, tone } from './score'

const call = form as unknown as GradeForm
const best: Answers = Object.fromEntries(items(call).map((item) => [item.code, 'yes']))

describe('what answers are worth', () => {
  it('is what the service says', () => {
    const cases: [Answers, number][] = [
      [{}, 100],
      [{ greeting: 'partly' }, 97.5],
      [{ greeting: 'no', tone: 'no' }, 85],
      [{ answer: 'none', greeting: 'no' }, 93.7],
      [{ respect: 'no', greeting: 'no' }, 0],
    ]
    for (const [changes, worth] of cases) expect(score(call, { ...best, ...changes }).score).toBe(worth)
  })
  it('says what is left and what is fatal', () => {
    expect(score(call, {})).toEqual({ score: null, left: items(call).length, fatal: [] })
    expect(score(call, { ...best, tone: undefined, privacy: 'no' })).toEqual({ score: 0, left: 1, fatal: ['privacy'] })
  })
  it('has marks for every scale', () => {
    for (const item of items(call)) expect(MARKS[item.scale].length).toBeGreaterThan(1)
    expect([tone(85, 85), tone(84.9, 85), tone(69.9, 85), tone(null, 85)]).toEqual(['good', 'warn', 'bad', ''])
  })
})
