/**
 * The live stream (实时推送): a snapshot, then numbered changes.
 *
 * The law: old view + changes = new view. A gap in the numbers, a close or 10 s of silence means that the view may be
 * old: it is then called stale until a new snapshot has come, and is never shown as live meanwhile.
 */
import type { DeskView, FloorView, CallRow, SeatRow, Link, MessageRow, Pop, SupervisionRow } from './api/types'

export type LiveState = 'connecting' | 'live' | 'stale'

/** Close codes of the service's websocket. */
export const TAKEN_OVER = 4001
export const LOGGED_OUT = 4002

export type Message = { type: string; n?: number }

/** `view` after `message`, or null when a message between them is missing. */
export type Apply<View> = (view: View | null, message: Message) => View | null

function patched<Row>(rows: Record<string, Row>, changes: Record<string, Row | null> | undefined): Record<string, Row> {
  if (!changes || !Object.keys(changes).length) return rows
  const merged = Object.entries<Row | null>({ ...rows, ...changes })
  return Object.fromEntries(merged.filter((entry): entry is [string, Row] => entry[1] !== null))
}

interface FloorChanges extends Message {
  n: number
  at: string
  calls?: Record<string, CallRow | null>
  seats?: Record<string, SeatRow | null>
  link?: Link
}

export const applyFloor: Apply<FloorView> = (view, message) => {
  if (message.type === 'snapshot') return message as unknown as FloorView
  if (!view) return null
  if (message.type === 'figures') {
    const told = message as unknown as Pick<FloorView, 'figures' | 'callbacks'>
    return { ...view, figures: told.figures, callbacks: told.callbacks ?? view.callbacks }
  }
  // Few and seldom: all of them each time, without a number.
  if (message.type === 'alarms') return { ...view, alarms: (message as unknown as FloorView).alarms }
  if (message.type === 'supervisions') {
    return { ...view, supervisions: (message as unknown as Required<FloorView>).supervisions }
  }
  if (message.type !== 'changes') return view
  const changes = message as FloorChanges
  if (changes.n !== view.n + 1) return null
  return {
    ...view,
    n: changes.n,
    at: changes.at,
    link: changes.link ?? view.link,
    calls: patched(view.calls, changes.calls),
    seats: patched(view.seats, changes.seats),
  }
}

interface DeskChanges extends Message {
  n: number
  seat?: SeatRow | null
  call?: Pop | null
  link?: Link
}

export const applyDesk: Apply<DeskView> = (view, message) => {
  if (message.type === 'snapshot') return message as unknown as DeskView
  if (!view) return null
  if (message.type === 'message') {
    return { ...view, mail: [...(view.mail ?? []), (message as unknown as { message: MessageRow }).message] }
  }
  if (message.type === 'supervised') {
    return { ...view, supervised: (message as unknown as { supervised: SupervisionRow[] }).supervised }
  }
  if (message.type !== 'changes') return view
  const changes = message as DeskChanges
  if (changes.n !== view.n + 1) return null
  return {
    ...view,
    n: changes.n,
    seat: changes.seat === undefined ? view.seat : changes.seat,
    call: changes.call === undefined ? view.call : changes.call,
    link: changes.link ?? view.link,
  }
}

const OF_THE_VIEW = new Set(['snapshot', 'changes', 'figures', 'alive'])
const SILENCE_MS = 10_000
const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 15_000

/** How long to wait before try number `tries` (from 0): growing, jittered so that a hall of screens does not return at once. */
export function delay(tries: number, random = Math.random()): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries) * (0.5 + random / 2)
}

export interface Listener<View> {
  /** The view is new and true. */
  view(view: View): void
  /** `since`: when the last message came (ms since the epoch), null before the first. */
  state(state: LiveState, since: number | null): void
  /** Something beside the view has changed: a message of another room's. */
  told?(message: Message): void
  /** The service closed for good: taken over by a newer tab, or logged out. */
  closed?(code: number): void
  /** The socket was refused before it opened: perhaps nobody is logged in. */
  refused?(): void
}

export interface Live {
  /** Try at once instead of waiting for the next try. */
  retry(): void
  stop(): void
}

/** Follow `/api/v1/live?view=...` until stopped. */
export function follow<View>(
  what: 'desk' | 'floor',
  apply: Apply<View>,
  listener: Listener<View>,
  open: (url: string) => WebSocket = (url) => new WebSocket(url),
): Live {
  let socket: WebSocket | null = null
  let view: View | null = null
  let heard: number | null = null
  let tries = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  const state = (now: LiveState) => listener.state(now, heard)

  function drop(): void {
    clearTimeout(timer)
    const old = socket
    socket = null
    if (old) {
      old.onopen = old.onmessage = old.onclose = null
      old.close()
    }
  }

  function again(): void {
    drop()
    if (stopped) return
    state(view === null ? 'connecting' : 'stale')
    timer = setTimeout(connect, delay(tries++))
  }

  function listen(): void {
    clearTimeout(timer)
    timer = setTimeout(again, SILENCE_MS)
  }

  function connect(): void {
    drop()
    const url = new URL(`/api/v1/live?view=${what}`, location.href)
    url.protocol = url.protocol.replace('http', 'ws')
    const mine = open(url.href)
    let opened = false
    let fresh = false
    socket = mine
    listen()
    mine.onopen = () => {
      opened = true
    }
    mine.onmessage = (event: MessageEvent<string>) => {
      listen()
      heard = Date.now()
      let next: View | null
      try {
        const message = JSON.parse(event.data) as Message
        // A socket begins with a snapshot; changes are never laid over the view of an earlier one.
        next = apply(fresh ? view : null, message)
        if (!OF_THE_VIEW.has(message.type)) listener.told?.(message)
      } catch {
        next = null
      }
      if (next === null) return again()
      const first = !fresh
      const changed = next !== view
      fresh = true
      view = next
      tries = 0
      if (changed) listener.view(next)
      if (first) state('live')
    }
    mine.onclose = (event) => {
      if (event.code === TAKEN_OVER || event.code === LOGGED_OUT) {
        stop()
        state('stale')
        listener.closed?.(event.code)
        return
      }
      if (!opened) listener.refused?.()
      if (!stopped && socket === mine) again()
    }
  }

  function retry(): void {
    if (stopped) return
    tries = 0
    if (!socket || socket.readyState > WebSocket.OPEN) connect()
  }

  function stop(): void {
    stopped = true
    removeEventListener('online', retry)
    drop()
  }

  addEventListener('online', retry)
  state('connecting')
  connect()
  return { retry, stop }
}
