/** What is typed into an act's form: what of it is sent, and how it outlives the form, the page and a lost answer. Pure. */
import type { Entry, Given, OrderAct, OrderField, Value } from '@/api/orders'
import type { Point } from '@/api/types'
import { written } from '@/place/points'

/** A field as it is typed: a list for what takes several, else text. */
export type Typed = Record<string, string | string[]>

export type Fault = 'required' | 'too_long' | 'too_many' | 'bad_number' | 'bad_day' | 'bad_code'

/** Acts that answer what was asked for: they begin with what that gave. */
const ANSWERS: Readonly<Record<string, string>> = {
  grant_extension: 'ask_extension',
  suspend: 'ask_suspension',
  supervise: 'draft_supervision',
}
/** What is carried over; reasons are everybody's own. */
const CARRIED: readonly string[] = ['number', 'day', 'choice', 'choices', 'unit', 'units']

const several = (field: OrderField) => field.kind === 'choices' || field.kind === 'units'

/** What a matter that is split off has of its order, unless it is said otherwise. */
const OF_ORDER: readonly ('kind' | 'urgency' | 'place' | 'region')[] = ['kind', 'urgency', 'place', 'region']

type Begun = { history: readonly Entry[]; point?: Point | null; category?: string } & Partial<Record<(typeof OF_ORDER)[number], string>>

/** An empty form of an act, filled with what was asked for when it answers that, or with what it takes over. */
export function begun(act: OrderAct, order: Begun): Typed {
  if (act.event === 'split') {
    const taken = new Map<string, string>(OF_ORDER.map((name) => [name, order[name] ?? '']))
    return Object.fromEntries(act.fields.map(({ name }) => [name, taken.get(name) ?? '']))
  }
  if (['to_dispatch', 'accept_certain'].includes(act.event)) return { category: order.category ?? '' }
  if (act.event === 'set_point') return { point: order.point ? written(order.point) : '', reason: '' }
  const asked = order.history.findLast(({ event }) => event === ANSWERS[act.event])?.given ?? {}
  return Object.fromEntries(
    act.fields.map((field) => {
      const was = CARRIED.includes(field.kind) ? asked[field.name] : undefined
      const empty = several(field) ? [] : ''
      return [field.name, was === undefined ? empty : Array.isArray(was) ? [...was] : String(was)]
    }),
  )
}

export function isEmpty(typed: Typed): boolean {
  return Object.values(typed).every((value) => !(typeof value === 'string' ? value.trim() : value.length))
}

/** What is wrong with a field, as far as the page can know. Lengths are counted as the service does. */
export function fault(field: OrderField, value: string | string[] | undefined): Fault | null {
  if (!value || (typeof value === 'string' ? !value.trim() : !value.length)) return field.optional ? null : 'required'
  if (typeof value !== 'string') return value.length > (field.most || field.choices.length) ? 'too_many' : null
  switch (field.kind) {
    case 'text':
    case 'line':
      return length(value) > field.most ? 'too_long' : null
    case 'number':
      return /^[0-9]{1,6}$/.test(value.trim()) && Number(value) >= 1 && Number(value) <= field.most ? null : 'bad_number'
    case 'day':
      return /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value) ? null : 'bad_day'
    case 'order':
      return /^[0-9]{12}[0-9A-Z]$/i.test(value.trim()) ? null : 'bad_code'
    default:
      return null
  }
}

/** Characters, not halves of them. */
export const length = (text: string): number => [...text].length

/** What is sent of it: empty fields are left out. */
export function given(fields: readonly OrderField[], typed: Typed): Given {
  const out: Given = {}
  for (const field of fields) {
    const value = typed[field.name]
    if (value === undefined || (typeof value === 'string' ? !value.trim() : !value.length)) continue
    out[field.name] = sent(field, value)
  }
  return out
}

function sent(field: OrderField, value: string | string[]): Value {
  if (typeof value !== 'string') return [...value]
  if (field.kind === 'number') return Number(value)
  return field.kind === 'order' ? value.trim().toUpperCase() : value
}

/** What lies in the tab's own storage while an act is not done: no disk of a shared computer keeps it. */
export interface Kept {
  typed: Typed
  /** The message's key, and what was sent with it: the same content again is the same message, another is not. */
  key: string
  content: string
}

const place = (login: string, code: string, event: string) => `act:${login}:${code}:${event}`

export function findKept(storage: Storage, login: string, code: string, event: string): Kept | null {
  try {
    const text = storage.getItem(place(login, code, event))
    return text ? (JSON.parse(text) as Kept) : null
  } catch {
    return null
  }
}

/** Keep it; false when the browser refuses. */
export function keep(storage: Storage, login: string, code: string, event: string, kept: Kept): boolean {
  try {
    storage.setItem(place(login, code, event), JSON.stringify(kept))
    return true
  } catch {
    return false
  }
}

export function forget(storage: Storage, login: string, code: string, event: string): void {
  try {
    storage.removeItem(place(login, code, event))
  } catch {
    // Storage is switched off: there is nothing to remove.
  }
}

/** Events of an order for which something typed is kept. */
export function keptEvents(storage: Storage, login: string, code: string): string[] {
  const begin = place(login, code, '')
  try {
    return Object.keys(storage).filter((key) => key.startsWith(begin)).map((key) => key.slice(begin.length))
  } catch {
    return []
  }
}
