import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CallRow, FloorView, SeatRow } from './api/types'
import { applyDesk, applyFloor, delay, follow, type LiveState, type Message } from './live'

const call = (id: string, state: CallRow['state'] = 'waiting'): CallRow => ({
  id,
  state,
  number: '138****5678',
  dialed: '12345',
  service: 'unified',
  language: 'zh',
  menu: '',
  queue: 'citizen',
  arrived_at: '2026-11-22T02:00:00.000Z',
  queued_at: '2026-11-22T02:00:08.000Z',
  answered_at: null,
  seat: null,
  late: false,
  origin: null,
  priority: '',
  act: null,
})
const seat = (number: string, state: SeatRow['state']): SeatRow => ({
  number,
  state,
  since: '2026-11-22T02:00:00.000Z',
  reason: null,
  login: 'wang.fang',
  name_zh: '王芳',
  name_en: 'Wang Fang',
  phone: 'browser',
  call: null,
  missed: 0,
  wrap_up_until: null,
  wrap_up_cut: null,
  next: null,
  break_until: null,
  queues: ['citizen'],
})
const LINK = { state: 'live', since: '2026-11-22T02:00:00.000Z', why: null } as const
const snapshot = (n: number, calls: CallRow[] = [], seats: SeatRow[] = []): FloorView & Message =>
  ({
    type: 'snapshot',
    n,
    epoch: 'e1',
    at: '2026-11-22T02:00:10.000Z',
    node: 'n1',
    link: LINK,
    calls: Object.fromEntries(calls.map((row) => [row.id, row])),
    seats: Object.fromEntries(seats.map((row) => [row.number, row])),
    figures: { offered: 0 },
  }) as unknown as FloorView & Message

describe('the law: old view + changes = new view', () => {
  it('holds on a random walk of calls and seats', () => {
    let random = 12345
    const next = (below: number) => (random = (random * 1103515245 + 12345) % 2147483648) % below
    const truth = { calls: new Map<string, CallRow>(), seats: new Map<string, SeatRow>() }
    let view = applyFloor(null, snapshot(0))
    for (let n = 1; n <= 500; n++) {
      const calls: Record<string, CallRow | null> = {}
      const seats: Record<string, SeatRow | null> = {}
      for (let change = next(4); change >= 0; change--) {
        const id = `n1-${next(12)}`
        const number = String(1001 + next(8))
        if (next(3) === 0) {
          truth.calls.delete(id)
          calls[id] = null
        } else {
          const row = call(id, (['greeting', 'waiting', 'ringing', 'talking'] as const)[next(4)])
          truth.calls.set(id, row)
          calls[id] = row
        }
        const row = seat(number, (['ready', 'talking', 'wrap_up'] as const)[next(3)] ?? 'ready')
        truth.seats.set(number, row)
        seats[number] = row
      }
      view = applyFloor(view, { type: 'changes', n, at: '2026-11-22T02:00:11.000Z', calls, seats } as Message)
      expect(view?.calls).toEqual(Object.fromEntries(truth.calls))
      expect(view?.seats).toEqual(Object.fromEntries(truth.seats))
    }
  })

  it('leaves the old view as it was, and untouched rows the same objects', () => {
    const before = applyFloor(null, snapshot(7, [call('a'), call('b')]))
    const after = applyFloor(before, { type: 'changes', n: 8, at: '', calls: { a: null } } as Message)
    expect(Object.keys(before?.calls ?? {})).toEqual(['a', 'b'])
    expect(after?.calls.b).toBe(before?.calls.b)
    expect(after?.seats).toBe(before?.seats)
  })

  it('knows a gap, a repetition and a change before the snapshot', () => {
    const view = applyFloor(null, snapshot(7))
    expect(applyFloor(view, { type: 'changes', n: 9 })).toBeNull()
    expect(applyFloor(view, { type: 'changes', n: 7 })).toBeNull()
    expect(applyFloor(null, { type: 'changes', n: 8 })).toBeNull()
  })

  it('takes figures without a number, and keeps the rest', () => {
    const view = applyFloor(null, snapshot(7, [call('a')]))
    const after = applyFloor(view, { type: 'figures', figures: { offered: 5 } } as Message)
    expect(after?.n).toBe(7)
    expect(after?.figures.offered).toBe(5)
    expect(after?.calls).toBe(view?.calls)
  })

  it('tells gone (null) from unchanged (absent) at the desk', () => {
    const view = applyDesk(null, { type: 'snapshot', n: 3, epoch: 'e', seat: seat('1001', 'ready'), call: null, link: LINK } as Message)
    const rung = applyDesk(view, { type: 'changes', n: 4, call: call('a', 'ringing') } as Message)
    expect(rung?.seat?.number).toBe('1001')
    expect(rung?.call?.id).toBe('a')
    const over = applyDesk(rung, { type: 'changes', n: 5, call: null } as Message)
    expect(over?.call).toBeNull()
    expect(over?.seat?.number).toBe('1001')
  })
})

/** The browser's socket as `follow` uses it; the service's side is played by the test. */
class Wire {
  static all: Wire[] = []
  readyState = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  constructor(readonly url: string) {
    Wire.all.push(this)
  }
  close(): void {
    this.readyState = 3
  }
  say(message: object): void {
    this.readyState = 1
    this.onopen?.()
    this.onmessage?.({ data: JSON.stringify(message) })
  }
  drop(code: number): void {
    this.readyState = 3
    this.onclose?.({ code })
  }
}

describe('following', () => {
  const seen = { views: [] as FloorView[], states: [] as LiveState[], closed: [] as number[], refused: 0 }
  const last = () => Wire.all.at(-1) as Wire
  const begin = () =>
    follow<FloorView>(
      'floor',
      applyFloor,
      {
        view: (view) => seen.views.push(view),
        state: (state) => seen.states.push(state),
        closed: (code) => seen.closed.push(code),
        refused: () => seen.refused++,
      },
      (url) => new Wire(url) as unknown as WebSocket,
    )

  beforeEach(() => {
    vi.useFakeTimers()
    Wire.all = []
    Object.assign(seen, { views: [], states: [], closed: [], refused: 0 })
    vi.stubGlobal('location', { href: 'http://127.0.0.1:8012/wallboard' })
    vi.stubGlobal('WebSocket', { OPEN: 1 })
    vi.stubGlobal('addEventListener', () => undefined)
    vi.stubGlobal('removeEventListener', () => undefined)
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('is live from the snapshot on', () => {
    const live = begin()
    expect(last().url).toBe('ws://127.0.0.1:8012/api/v1/live?view=floor')
    expect(seen.states).toEqual(['connecting'])
    last().say(snapshot(4))
    expect(seen.states).toEqual(['connecting', 'live'])
    expect(seen.views.map(({ n }) => n)).toEqual([4])
    live.stop()
  })

  it('is stale after a gap, and live again only with a new snapshot', () => {
    const live = begin()
    last().say(snapshot(4))
    last().say({ type: 'changes', n: 6, at: '' })
    expect(seen.states.at(-1)).toBe('stale')
    expect(seen.views).toHaveLength(1)
    vi.advanceTimersByTime(1000)
    expect(Wire.all).toHaveLength(2)
    expect(seen.states.at(-1)).toBe('stale')
    last().say(snapshot(9))
    expect(seen.states.at(-1)).toBe('live')
    expect(seen.views.at(-1)?.n).toBe(9)
    live.stop()
  })

  it('never lays the changes of a new socket over the view of the old one', () => {
    const live = begin()
    last().say(snapshot(4))
    last().drop(1006)
    vi.advanceTimersByTime(1000)
    last().say({ type: 'changes', n: 5, at: '' })
    expect(seen.views.map(({ n }) => n)).toEqual([4])
    expect(seen.states.at(-1)).toBe('stale')
    live.stop()
  })

  it('is stale after 10 s of silence; any message breaks the silence', () => {
    const live = begin()
    last().say(snapshot(4))
    vi.advanceTimersByTime(9_900)
    last().say({ type: 'ping' })
    vi.advanceTimersByTime(9_900)
    expect(seen.states.at(-1)).toBe('live')
    vi.advanceTimersByTime(200)
    expect(seen.states.at(-1)).toBe('stale')
    live.stop()
  })

  it('takes rubbish for a gap', () => {
    const live = begin()
    last().say(snapshot(4))
    last().onmessage?.({ data: '{' })
    expect(seen.states.at(-1)).toBe('stale')
    live.stop()
  })

  it('does not come back when a newer tab took over', () => {
    begin()
    last().say(snapshot(4))
    last().drop(4001)
    expect(seen.closed).toEqual([4001])
    expect(seen.states.at(-1)).toBe('stale')
    vi.advanceTimersByTime(120_000)
    expect(Wire.all).toHaveLength(1)
  })

  it('says that it was refused, and waits longer each time', () => {
    const live = begin()
    const opened: number[] = []
    for (let tries = 0; tries < 6; tries++) {
      last().drop(1006)
      const before = Date.now()
      const sockets = Wire.all.length
      while (Wire.all.length === sockets) vi.advanceTimersByTime(50)
      opened.push(Date.now() - before)
    }
    expect(seen.refused).toBe(6)
    expect(opened.at(-1)).toBeGreaterThan(4 * (opened[0] ?? Infinity))
    live.stop()
  })

  it('waits half to whole of a doubling delay, at most 15 s', () => {
    expect([0, 1, 2, 3].map((tries) => delay(tries, 1))).toEqual([500, 1000, 2000, 4000])
    expect(delay(0, 0)).toBe(250)
    expect(delay(40, 1)).toBe(15_000)
  })
})
