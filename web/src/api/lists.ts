/** The shapes of the inbox, the register and the dispatch desk. Times are ISO-8601 in UTC, days YYYY-MM-DD. */
import type { OrderRow, Page } from './types'

export type ListAction = 'dispatch' | 'merge_orders' | 'export_orders' | 'see_caller_number' | 'act_on_orders'
export type InboxGroup = 'overdue' | 'today' | 'later'

/** What is left of a limit, or over since: by the wall, in office minutes, in working days or in days. */
export interface TimeLeft {
  amount: number
  unit: 'minute' | 'working_minute' | 'working_day' | 'day'
  over: boolean
  clock: string
  provisional: boolean
}

export interface InboxRow extends OrderRow {
  region: string
  due_at: string
  urge_level: number
  handler: string | null
  returns: number
  rehandles: number
  version: number
  repeat_of: string | null
  task: string
  left: TimeLeft | null
  reminded: number
  proposed: string | null
}

export interface Counted {
  name: string
  count: number
}

export interface InboxPage {
  items: InboxRow[]
  next: string | null
  groups: Counted[]
  states: Counted[]
  more: boolean
}

export interface RegisterRow extends OrderRow {
  region: string
  due_at: string | null
  overdue: boolean
  urge_level: number
  handler: string | null
  returns: number
  rehandles: number
  closing: string | null
  version: number
  repeat_of: string | null
  proposed: boolean
}

export type RegisterPage = Page<RegisterRow>

/** What the register is narrowed to: what a view keeps. */
export interface RegisterFilters {
  state?: string
  kind?: string
  category?: string
  region?: string
  urgency?: string
  urged?: string
  q?: string
  department?: string
  from_day?: string
  to_day?: string
  days?: number
  due?: string
  sort?: string
}

export interface SavedView {
  id: string
  name: string
  role: string | null
  filters: RegisterFilters
  mine: boolean
  login: string
}

export interface BulkRow {
  code: string
  done: boolean
  state: string | null
  version: number | null
  why: string | null
  zh: string
  en: string
}

export interface SuggestionReason {
  kind: 'bound' | 'precedent' | 'rule' | 'similar' | 'named' | 'refused'
  points: number
  codes: string[]
}

export interface SuggestedUnit {
  unit: string
  points: number
  co: string[]
  reasons: SuggestionReason[]
}

export interface Ruling {
  code: string
  open: boolean
  unit: string
  co: string[]
  region: string
  near: number
  at: string
  by: string
  facts: string
  basis: string
}

export interface SimilarOrder {
  code: string
  open: boolean
  subject: string
  region: string
  near: number
  department: string
  created_at: string
  closing: string | null
  likeness: number
}

export interface Suggestion {
  code: string
  version: number
  sure: boolean
  follow_up_officer: string | null
  units: SuggestedUnit[]
  rulings: Ruling[]
  similar: SimilarOrder[]
}
