import { beforeEach, describe, expect, it } from 'vitest'
import type { Entry, OrderAct, OrderClock, OrderField } from '@/api/orders'
import { begun, fault, findKept, forget, given, keep, keptEvents } from './acts'
import { days, read, sorted, tone } from './clocks'
import { kindsOf, timeline } from './timeline'

const at = Date.parse
const clock = (more: Partial<OrderClock>): OrderClock => ({
  name: 'T-REPLY',
  policy: 'T-REPLY-complaint',
  value: 2,
  unit: 'working_day',
  extended: 0,
  turns: [],
  started_at: '2026-11-20T02:00:00Z',
  due_at: '2026-11-24T16:00:00Z',
  first_due_at: '2026-11-24T16:00:00Z',
  provisional: false,
  paused_at: null,
  ended_at: null,
  dropped: false,
  work: true,
  late: false,
  ...more,
})

describe('clocks', () => {
  // Friday 20 November 10:00 in Shenzhen; two working days are over when Tuesday ends.
  const friday = { since: '2026-11-20T02:00:00Z', until: '2026-11-20T16:00:00Z' }
  const week = { since: '2026-11-22T16:00:00Z', until: '2026-11-24T16:00:00Z' }
  const running = clock({ turns: [friday, week] })

  it('count the working days that are left, and the rest of today', () => {
    const reading = read(running, at('2026-11-20T04:30:00Z'))
    expect(reading).toEqual({ is: 'running', ms: (11.5 + 48) * 3_600_000, still: false })
    expect(days(running, reading.ms)).toEqual({ days: 2, rest: 11.5 * 3_600_000 })
  })
  it('stand still on a day off', () => {
    const saturday = read(running, at('2026-11-21T04:00:00Z'))
    expect(saturday).toEqual(read(running, at('2026-11-22T04:00:00Z')))
    expect(saturday).toEqual({ is: 'running', ms: 48 * 3_600_000, still: true })
  })
  it('are in time at their last moment, and late after it', () => {
    expect(read(running, at(running.due_at)).is).toBe('running')
    const late = read(running, at(running.due_at) + 90_000)
    expect(late).toEqual({ is: 'late', ms: 90_000, still: false })
    expect(tone(running, late)).toBe('bad')
  })
  it('keep what was left while they are paused', () => {
    const paused = clock({ paused_at: '2026-11-23T16:00:00Z', turns: [{ since: '2026-11-23T16:00:00Z', until: '2026-11-24T16:00:00Z' }] })
    expect(read(paused, at('2027-01-01T00:00:00Z'))).toEqual({ is: 'paused', ms: 86_400_000, still: false })
  })
  it('tell how they ended', () => {
    const ended = { ended_at: '2026-11-25T16:00:00Z' }
    expect(read(clock({ ...ended, late: true }), 0)).toMatchObject({ is: 'met_late', ms: 86_400_000 })
    expect(read(clock({ ...ended, dropped: true }), 0).is).toBe('dropped')
    expect(read(clock({ ended_at: '2026-11-23T16:00:00Z' }), 0)).toMatchObject({ is: 'met', ms: 0 })
  })
  it('count hours by the wall, and warn in their last fifth', () => {
    const hours = clock({ unit: 'hour', value: 2, turns: [{ since: '2026-11-24T14:00:00Z', until: '2026-11-24T16:00:00Z' }] })
    const near = read(hours, at('2026-11-24T15:40:00Z'))
    expect(days(hours, near.ms)).toEqual({ days: 0, rest: 20 * 60_000 })
    expect([tone(hours, near), tone(hours, read(hours, at('2026-11-24T14:10:00Z')))]).toEqual(['warn', ''])
  })
  it('come by what is due first, those that nobody works on after them, those that are over last', () => {
    const all = [
      clock({ name: 'over', ended_at: '2026-11-20T02:00:00Z' }),
      clock({ name: 'quiet', work: false, due_at: '2026-11-20T16:00:00Z' }),
      clock({ name: 'later', due_at: '2026-11-26T16:00:00Z' }),
      clock({ name: 'first' }),
    ]
    expect(sorted(all).map(({ name }) => name)).toEqual(['first', 'later', 'quiet', 'over'])
  })
})

const field = (more: Partial<OrderField>): OrderField => ({ name: 'reason', kind: 'text', optional: false, most: 10, choices: [], zh: '', en: '', ...more })

describe('what is typed', () => {
  it('is checked as far as the page can know', () => {
    expect(fault(field({}), '  ')).toBe('required')
    expect(fault(field({ optional: true }), '')).toBeNull()
    expect(fault(field({}), '一二三四五六七八九十')).toBeNull()
    expect(fault(field({}), '😀'.repeat(10))).toBeNull()
    expect(fault(field({}), 'x'.repeat(11))).toBe('too_long')
    expect(fault(field({ kind: 'number', most: 720 }), '0')).toBe('bad_number')
    expect(fault(field({ kind: 'number', most: 720 }), '7.5')).toBe('bad_number')
    expect(fault(field({ kind: 'day' }), 'tomorrow')).toBe('bad_day')
    expect(fault(field({ kind: 'order' }), '123')).toBe('bad_code')
    expect(fault(field({ kind: 'units', most: 1 }), ['D01', 'D02'])).toBe('too_many')
  })
  it('is sent without what is empty, in the shapes of JSON', () => {
    const fields = [field({}), field({ name: 'n', kind: 'number', most: 9 }), field({ name: 'm', kind: 'order' }), field({ name: 'u', kind: 'units' }), field({ name: 'e', optional: true })]
    expect(given(fields, { reason: 'a', n: ' 5 ', m: ' 26112200000ax ', u: ['D01'], e: ' ' })).toEqual({ reason: 'a', n: 5, m: '26112200000AX', u: ['D01'] })
  })
  it('begins with what was asked for, but for the reason', () => {
    const act = { event: 'grant_extension', fields: [field({ name: 'extension_length', kind: 'number' }), field({})] } as unknown as OrderAct
    const history = [{ event: 'ask_extension', given: { extension_length: 5, reason: '汛期' } }] as unknown as Entry[]
    expect(begun(act, { history })).toEqual({ extension_length: '5', reason: '' })
    expect(begun(act, { history: [] })).toEqual({ extension_length: '', reason: '' })
  })
})

describe('what is kept', () => {
  const shelf = new Map<string, string>()
  const storage = new Proxy({} as Storage, {
    get: (_, name) =>
      ({
        getItem: (key: string) => shelf.get(key) ?? null,
        setItem: (key: string, text: string) => void shelf.set(key, text),
        removeItem: (key: string) => void shelf.delete(key),
      })[name as 'getItem'],
    ownKeys: () => [...shelf.keys()],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  })
  beforeEach(() => shelf.clear())

  it('is one person’s, of one order and one act, until it is done', () => {
    const kept = { typed: { reason: '写到一半' }, key: 'k', content: '' }
    expect(keep(storage, 'limei', '2611220000019', 'recall', kept)).toBe(true)
    expect(findKept(storage, 'limei', '2611220000019', 'recall')).toEqual(kept)
    expect(findKept(storage, 'sunli', '2611220000019', 'recall')).toBeNull()
    expect(keptEvents(storage, 'limei', '2611220000019')).toEqual(['recall'])
    forget(storage, 'limei', '2611220000019', 'recall')
    expect(keptEvents(storage, 'limei', '2611220000019')).toEqual([])
  })
})

describe('the timeline', () => {
  it('has what is newest on top, calls among what people did', () => {
    const entry = (n: number, moment: string) => ({ n, at: moment }) as unknown as Entry
    const moments = timeline(
      [entry(1, '2026-11-20T02:05:00Z'), entry(2, '2026-11-20T03:00:00Z'), entry(3, '2026-11-20T03:00:00Z')],
      { calls: [{ id: 'n1-1.1', arrived_at: '2026-11-20T02:00:00Z' } as never, { id: 'n1-2.1', arrived_at: '2026-11-20T02:30:00Z' } as never] },
    )
    expect(moments.map(({ key }) => key)).toEqual(['e3', 'e2', 'cn1-2.1', 'e1', 'cn1-1.1'])
  })
  it('tells all that happened, each in its kind', () => {
    const at = (minute: number) => `2026-11-20T02:${minute}:00Z`
    const notice = (id: number, template: string, more: object) => ({ id, template, created_at: at(10), sent_at: null, given_up_at: null, ...more })
    const moments = timeline([{ n: 1, at: at(10), event: 'dispatch' }, { n: 2, at: at(40), event: 'urge' }, { n: 3, at: at(41), event: 'reply_supervision' }] as never, {
      notices: [notice(1, 'citizen.dispatched', { sent_at: at(11) }), notice(2, 'staff.time_runs', { given_up_at: at(30) }), notice(3, 'staff.new_order', {})] as never,
      files: [{ id: 'a', at: at(20), deleted_at: at(50) }] as never,
      texts: [{ id: 7, at: at(45) }] as never,
      reveals: [{ id: 9, at: at(15) }] as never,
    })
    expect(moments.map(({ key, kind }) => `${key} ${kind}`)).toEqual([
      'ga file', 't7 text', 'e3 urge', 'e2 urge', 'n2 reminder', 'fa file', 'r9 reveal', 'n1 notice', 'n3 notice', 'e1 act',
    ])
    expect(kindsOf(moments)).toEqual([
      { kind: 'act', n: 1 }, { kind: 'urge', n: 2 }, { kind: 'notice', n: 2 }, { kind: 'reminder', n: 1 }, { kind: 'text', n: 1 }, { kind: 'file', n: 2 }, { kind: 'reveal', n: 1 },
    ])
  })
})
