import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Problem } from './api/client'
import type { DraftSaved, OrderForm } from './api/types'
import { Autosave, findCopy, type SaveState, type Shelf } from './autosave'

const form = (subject: string, confidential = false): OrderForm => ({
  kind: 'consult',
  category: '',
  urgency: 'U3',
  subject,
  description: '',
  place: '',
  region: '',
  contact_name: '',
  callback_number: '',
  confidential,
  anonymous: false,
  public_danger: false,
  complained_person: '',
  complained_units: [],
  point: null,
})

/** Storage as browsers have it, which Node has not. */
class Box implements Storage {
  private held = new Map<string, string>()
  full = false
  get length(): number {
    return this.held.size
  }
  key = (index: number) => [...this.held.keys()][index] ?? null
  getItem = (key: string) => this.held.get(key) ?? null
  removeItem = (key: string) => void this.held.delete(key)
  clear = () => this.held.clear()
  setItem(key: string, value: string): void {
    if (this.full) throw new DOMException('full', 'QuotaExceededError')
    this.held.set(key, value)
  }
}

let shelf: { lasting: Box; passing: Box } & Shelf
let sent: { at: number; subject: string; version: number; lasting: boolean }[]
let states: SaveState[]
let answer: () => Promise<DraftSaved>
let version: number
let begun: number

const stored = (): Promise<DraftSaved> =>
  Promise.resolve({ version: ++version, saved_at: '2026-11-22T02:32:05.000Z', stored: 'database' })
const offline = () => Promise.reject(new Problem(0, 'offline', '', ''))
const make = (from = 0) =>
  new Autosave(
    'n1-1',
    from,
    (draft, at, lasting) => {
      sent.push({ at: Date.now() - begun, subject: draft.subject, version: at, lasting })
      return answer()
    },
    shelf,
    (state) => states.push(state),
  )
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  vi.useFakeTimers()
  shelf = { lasting: new Box(), passing: new Box() }
  sent = []
  states = []
  version = 0
  begun = Date.now()
  answer = stored
})
afterEach(() => {
  vi.useRealTimers()
})

describe('timing', () => {
  it('saves 0.8 s after the last key', async () => {
    const saver = make()
    saver.edited(form('a'))
    await pass(500)
    saver.edited(form('ab'))
    await pass(799)
    expect(sent).toEqual([])
    await pass(1)
    expect(sent).toEqual([{ at: 1300, subject: 'ab', version: 0, lasting: false }])
    await pass(60_000)
    expect(sent).toHaveLength(1)
  })

  it('saves every 2 s while typing goes on without a pause', async () => {
    const saver = make()
    for (let key = 0; key < 100; key++) {
      saver.edited(form(`text ${key}`))
      await pass(100)
    }
    const gaps = sent.map(({ at }, index) => at - (sent[index - 1]?.at ?? 0))
    expect(sent.length).toBeGreaterThanOrEqual(4)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2100)
  })

  it('sends one draft at a time, the newest after the one under way, with its version', async () => {
    const saver = make()
    let release: (saved: DraftSaved) => void = () => undefined
    answer = () => new Promise((resolve) => (release = resolve))
    saver.edited(form('first'))
    await pass(800)
    saver.edited(form('second'))
    await pass(5000)
    expect(sent.map(({ subject }) => subject)).toEqual(['first'])
    answer = stored
    version = 7
    release({ version: 7, saved_at: '', stored: 'database' })
    await pass(2000)
    expect(sent.map(({ subject, version: at }) => [subject, at])).toEqual([
      ['first', 0],
      ['second', 7],
    ])
  })

  it('sends at once when asked, and lastingly when the page closes', async () => {
    version = 3
    const saver = make(3)
    saver.edited(form('a'))
    await saver.flush()
    expect(sent).toEqual([{ at: 0, subject: 'a', version: 3, lasting: false }])
    saver.leave()
    expect(sent).toHaveLength(1)
    saver.edited(form('ab'))
    saver.leave()
    expect(sent[1]).toMatchObject({ subject: 'ab', version: 4, lasting: true })
  })
})

describe('the second net', () => {
  it('keeps a copy from the first key until the service has confirmed', async () => {
    const saver = make()
    saver.edited(form('a'))
    expect(findCopy(shelf, 'n1-1')?.form.subject).toBe('a')
    expect(findCopy(shelf, 'n1-2')).toBeNull()
    await pass(800)
    expect(findCopy(shelf, 'n1-1')).toBeNull()
    expect(states.at(-1)).toEqual({ is: 'saved', at: '2026-11-22T02:32:05.000Z', stored: 'database' })
  })

  it('keeps the copy of a confidential form in the tab alone', () => {
    const saver = make()
    saver.edited(form('a'))
    expect(shelf.lasting.length).toBe(1)
    saver.edited(form('a', true))
    expect(shelf.lasting.length).toBe(0)
    expect(shelf.passing.length).toBe(1)
    expect(findCopy(shelf, 'n1-1')?.form.confidential).toBe(true)
  })

  it('fails aloud, tries again by itself, and then sends the newest', async () => {
    const saver = make()
    answer = offline
    saver.edited(form('a'))
    await pass(800)
    expect(states.at(-1)).toMatchObject({ is: 'failed', kept: true })
    saver.edited(form('ab'))
    answer = stored
    await pass(1000)
    expect(sent.map(({ subject }) => subject)).toEqual(['a', 'ab'])
    expect(states.at(-1)).toMatchObject({ is: 'saved' })
    expect(findCopy(shelf, 'n1-1')).toBeNull()
  })

  it('says when not even a copy could be kept', async () => {
    const saver = make()
    answer = offline
    shelf.lasting.full = true
    saver.edited(form('a'))
    await pass(800)
    expect(states.at(-1)).toMatchObject({ is: 'failed', kept: false })
  })

  it('removes the copy when the form became an order, and saves no more', async () => {
    const saver = make()
    answer = offline
    saver.edited(form('a'))
    await pass(800)
    saver.end(true)
    expect(findCopy(shelf, 'n1-1')).toBeNull()
    await pass(60_000)
    expect(sent).toHaveLength(1)
  })
})

describe('a newer draft elsewhere', () => {
  const newer = { form: form('theirs'), version: 9, saved_at: '2026-11-22T02:40:00.000Z' }
  const stale = () => Promise.reject(new Problem(409, 'stale_draft', '', '', {}, { draft: newer }))

  it('stops saving until the person decides', async () => {
    const saver = make()
    answer = stale
    saver.edited(form('mine'))
    await pass(800)
    expect(states.at(-1)).toEqual({ is: 'conflict', newer })
    saver.edited(form('mine more'))
    await pass(60_000)
    expect(sent).toHaveLength(1)
  })

  it('saves mine over it', async () => {
    const saver = make()
    answer = stale
    saver.edited(form('mine'))
    await pass(800)
    answer = stored
    saver.settle('mine', form('mine'))
    await pass(2000)
    expect(sent.at(-1)).toMatchObject({ subject: 'mine', version: 9 })
  })

  it('or takes the newer one', async () => {
    const saver = make()
    answer = stale
    saver.edited(form('mine'))
    await pass(800)
    expect(saver.settle('newer', form('mine')).subject).toBe('theirs')
    expect(saver.version).toBe(9)
    expect(findCopy(shelf, 'n1-1')).toBeNull()
    await pass(60_000)
    expect(sent).toHaveLength(1)
  })
})
