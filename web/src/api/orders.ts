/** The shapes of an order's own page. Times are ISO-8601 in UTC. */

import type { Named, OrderRow, Point, Recording, Segment } from './types'

/** What is given with an event, as JSON has it. */
export type Value = string | number | readonly string[]
export type Given = Record<string, Value>
export type FieldKind = 'text' | 'line' | 'login' | 'unit' | 'units' | 'order' | 'leaf' | 'region' | 'day' | 'moment' | 'number' | 'choice' | 'choices' | 'point'

/** One line of an order's history (办理记录). `n`: the order's version after it. */
export interface Entry {
  n: number
  at: string
  who: string
  role: string
  second: string | null
  event: string
  from_state: string
  to_state: string
  note: string
  given: Given
  zh: string
  en: string
}

export interface Turn {
  since: string
  until: string
}

/** A time limit of an order (时限). `turns`: when it turns; what is left lies after now, or after its pause. */
export interface OrderClock {
  name: string
  policy: string
  value: number
  unit: string
  extended: number
  turns: Turn[]
  started_at: string
  due_at: string
  first_due_at: string
  provisional: boolean
  paused_at: string | null
  ended_at: string | null
  dropped: boolean
  work: boolean
  late: boolean
}

export interface OrderField {
  name: string
  kind: FieldKind
  optional: boolean
  most: number
  choices: string[]
  zh: string
  en: string
}

/** What may be done next (可办事项). */
export interface OrderAct {
  event: string
  zh: string
  en: string
  to: string
  who: string[]
  second: string[]
  unit: string
  mine: boolean
  why_zh: string | null
  why_en: string | null
  fields: OrderField[]
}

/** An act that waits for a second person (待复核). */
export interface OrderProposal {
  event: string
  zh: string
  en: string
  by: string
  at: string
  given: Given
}

export interface OrderCoUnit {
  unit: string
  state: string
}

/** Who it came from is hidden when it is confidential, but to who wrote it. */
export interface OrderDetail extends OrderRow {
  description: string
  place: string
  region: string
  point: Point | null
  contact_name: string
  /** Masked: parts/Reveal.vue shows it. A confidential order names nobody but its `relay`. */
  callback_number: string
  anonymous: boolean
  public_danger: boolean
  relay: string | null
  complained_person: string
  complained_units: string[]
  created_by: string
  updated_at: string
  version: number
  state_since: string
  due_at: string | null
  handler: string | null
  follow_up_officer: string | null
  returns: number
  rehandles: number
  urge_level: number
  closing: string | null
  master: string | null
  repeat_of: string | null
  machines: Record<string, string>
  co_units: OrderCoUnit[]
  proposal: OrderProposal | null
  clocks: OrderClock[]
  possible: OrderAct[]
  history: Entry[]
}

export interface OrderMoved {
  code: string
  event: string
  state: string
  version: number
  at: string
}

export interface OrderCall {
  id: string
  direction: string
  arrived_at: string
  answered_at: string | null
  ended_at: string | null
  talk_ms: number | null
  outcome: string | null
  login: string | null
  open: boolean
  segments: Segment[]
  recording: Recording | null
}

export interface OrderPerson {
  login: string
  name_zh: string
  name_en: string
  can: string[]
}

/** A text of the citizen (来信短信); `number` is masked. */
export interface IncomingText {
  id: number
  at: string
  number: string
  text: string
  outcome: 'answered' | 'noted' | 'stopped' | 'several' | 'unknown'
  seen_by: string | null
  seen_at: string | null
}

/** Somebody has looked at the number, or at who a confidential order came from. */
export interface Reveal {
  id: number
  at: string
  act: 'reveal_number' | 'view_identity'
  reason: string | null
  login: string
  name_zh: string
  name_en: string
}

/** An open order of the same leaf near by. */
export interface NearOrder {
  code: string
  subject: string
  state: string
  created_at: string
  point: Point
  metres: number
}

export interface OrderPlace {
  near: NearOrder[]
  map_url: string | null
}

export interface OrderStateName extends Named {
  kind: string
  owner: string
}

export interface OrderFieldName {
  name: string
  kind: FieldKind
  zh: string
  en: string
}

export interface OrderWord extends Named {
  of: string
}

export interface OrderWords {
  states: OrderStateName[]
  fields: OrderFieldName[]
  words: OrderWord[]
}
