/** What answers are worth (评分), as it is shown while one answers. The service's word is the last. */
import type { GradeAnswer, GradeForm, Mark, Scale } from '@/api/types'

export const MARKS: Record<Scale, readonly Mark[]> = {
  two: ['yes', 'no'],
  two_or_none: ['yes', 'no', 'none'],
  three: ['yes', 'partly', 'no'],
  three_or_none: ['yes', 'partly', 'no', 'none'],
}
const SHARE: Record<Mark, number | null> = { yes: 100, partly: 50, no: 0, none: null }

export type Answers = Record<string, Mark | undefined>

export const items = (form: GradeForm) => form.sections.flatMap((section) => section.items)

/** What all its items can be worth together. */
export const points = (form: GradeForm): number => items(form).reduce((sum, { weight }) => sum + (weight || 0), 0)

export const asList = (answers: Answers): GradeAnswer[] =>
  Object.entries(answers).flatMap(([item, answer]) => (answer ? [{ item, answer }] : []))

export const asRecord = (answers: readonly GradeAnswer[]): Answers =>
  Object.fromEntries(answers.map(({ item, answer }) => [item, answer]))

/** `score` is null until something that counts is answered; 0 as soon as a critical item is failed. */
export function score(form: GradeForm, answers: Answers): { score: number | null; left: number; fatal: string[] } {
  let weights = 0
  let worth = 0
  let left = 0
  const fatal: string[] = []
  for (const item of items(form)) {
    const answer = answers[item.code]
    if (!answer) left++
    const share = answer ? SHARE[answer] : null
    if (share === null) continue
    weights += item.weight
    worth += item.weight * share
    if (item.critical && share === 0) fatal.push(item.code)
  }
  // Cut, not rounded, as the service does it; whole numbers, so that no float comes between.
  const mean = weights ? Math.floor((worth * 10) / weights) / 10 : null
  return { score: fatal.length ? 0 : mean, left, fatal }
}

export function tone(score: number | null, pass: number): 'good' | 'warn' | 'bad' | '' {
  return score === null ? '' : score >= pass ? 'good' : score >= pass - 15 ? 'warn' : 'bad'
}
