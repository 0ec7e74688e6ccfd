/** The shapes of the audit, of numbers and identities that are shown by an act, of personal data taken out, and of a unit's figures. */
import type { RegisterFilters } from './lists'

export type RightsAction =
  | 'read_audit_log'
  | 'export_audit'
  | 'reveal_number'
  | 'see_caller_number'
  | 'see_hidden_identity'
  | 'ask_identity'
  | 'approve_identity'
  | 'see_identity_requests'
  | 'ask_export'
  | 'approve_export'
  | 'see_exports'
  | 'see_unit_report'
  | 'see_duties'
  | 'change_duties'
  | 'edit_responsibility_list'

export type RevealReason = 'contact' | 'verify' | 'visit' | 'urgent' | 'other'

export interface Revealed {
  number: string
}

/** One deed on record. `n`, `hash`: its place in the chain; null for the moment until it is there. */
export interface DeedRow {
  id: number
  at: string
  login: string | null
  name_zh: string | null
  name_en: string | null
  act: string
  what: Record<string, unknown>
  n: number | null
  hash: string | null
}

export interface AuditChain {
  rows: number
  head: string
  waiting: number
  acts: string[]
}

/** A request to see who a confidential order came from. */
export interface IdentityRequest {
  id: number
  code: string
  relay: string
  asked_by: string
  reason: string
  hours: number
  asked_at: string
  state: 'asked' | 'running' | 'refused' | 'over'
  decided_by: string | null
  decided_at: string | null
  note: string
  until: string | null
  views: number
  may: ('decide' | 'view' | 'end')[]
}

export interface CitizenIdentity {
  contact_name: string
  callback_number: string
  caller: string
  until: string
}

/** A request to take personal data out; `number` is masked. */
export interface DataExport {
  id: number
  asked_by: string
  reason: string
  format: 'csv' | 'xlsx'
  number: string
  filters: RegisterFilters
  asked_at: string
  state: 'asked' | 'running' | 'refused' | 'over'
  decided_by: string | null
  decided_at: string | null
  note: string
  until: string | null
  taken_at: string | null
  may: ('decide' | 'take')[]
}

/** A unit's figures: orders that it led, filed in so many days. */
export interface UnitReport {
  unit: string
  days: number
  orders: number
  open: number
  overdue: number
  closed: number
  replied: number
  on_time: number
  sign_due: number
  signed: number
  contact_due: number
  contacted: number
  reply_due: number
  in_time: number
  extended: number
  returned: number
  rehandled: number
  closed_again: number
  unreasonable: number
  urged: number
  carded: number
  visited: number
  resolved: number
  resolved_broad: number
  satisfied: number
  satisfied_broad: number
  unreachable: number
}

/** Orders of a unit at one step. */
export interface ProcessStage {
  state: string
  count: number
  overdue: number
  today: number
  oldest: string
}

export interface Process {
  unit: string
  stages: ProcessStage[]
}

/** Who leads a leaf, and who helps; `region` empty: in the whole city. `change`: 0 for the city's own table. */
export interface DutyRow {
  category: string
  region: string
  lead: string
  co: string[]
  basis: string
  change: number
}

/** A change of the list of responsibilities (职责清单); `lead` is null when it goes back to the city's table. */
export interface DutyChange {
  id: number
  category: string
  region: string
  lead: string | null
  co: string[]
  basis: string
  by: string
  at: string
  state: 'proposed' | 'holds' | 'refused' | 'withdrawn'
  decided_by: string | null
  decided_at: string | null
}

export interface DutyList {
  items: DutyRow[]
  changes: DutyChange[]
}
