/** The shapes of orders that belong together: candidates for merging, siblings, what a caller repeats. */
import type { OrderRow } from './types'

/** Why it may be the same matter. `value`: per cent of likeness, metres, or days. */
export interface MergeSign {
  kind: 'words' | 'metres' | 'place' | 'street' | 'district' | 'recent'
  points: number
  value: number
}

export interface JoinedOrder {
  code: string
  state: string
  version: number
  category: string
  subject: string
  description: string
  place: string
  region: string
  department: string | null
  created_at: string
  confidential: boolean
}

/** `into`: the order may be merged into it; `takes`: it into the order. */
export interface MergeCandidate {
  code: string
  state: string
  version: number
  urgency: string
  subject: string
  description: string
  place: string
  region: string
  department: string | null
  created_at: string
  confidential: boolean
  points: number
  signs: MergeSign[]
  same_leaf: boolean
  into: boolean
  takes: boolean
  why_zh: string | null
  why_en: string | null
}

export interface MergeCandidates {
  code: string
  version: number
  days: number
  metres: number
  least: number
  items: MergeCandidate[]
}

export interface OrderJoins {
  master: JoinedOrder | null
  merged: JoinedOrder[]
  siblings: JoinedOrder[]
  before: JoinedOrder | null
  again: JoinedOrder[]
}

/** An order of the same caller's that a form would repeat. `way`: it is urged, can be reopened, or a new one repeats it. */
export interface RepeatedOrder extends OrderRow {
  way: 'urge' | 'reopen' | 'new'
  state_since: string
  due_at: string | null
  urge_level: number
  likeness: number
}

export interface RepeatedOrders {
  items: RepeatedOrder[]
}

export interface AskedOfOrder {
  code: string
  event: string
  state: string
  version: number
  at: string
}
