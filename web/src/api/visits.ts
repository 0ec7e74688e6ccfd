/** The shapes of return visits, reply audit, and the limits of orders. Times are ISO-8601 in UTC. */

export type VisitAction = 'visit' | 'audit_reply' | 'propose_rules' | 'approve_rules' | 'write_order' | 'act_on_orders'
export type Part = 'morning' | 'afternoon' | 'evening'

export interface VisitSlot {
  name: Part
  start: number
  end: number
  now: boolean
}

export interface VisitRow {
  code: string
  state: string
  kind: string
  urgency: string
  subject: string
  department: string | null
  confidential: boolean
  language: string
  due_at: string
  tries: string[]
  most: number
  last: string | null
  later_at: string | null
  texted_at: string | null
  open: boolean
  next_at: string | null
}

export interface VisitRates {
  answered: number
  contacted: number
  resolved: number
  resolved_broad: number
  satisfied: number
  satisfied_broad: number
  unreachable: number
  refused: number
  tries: number
}

/** Of 30 days, in orders. */
export interface VisitCoverage {
  due: number
  finished: number
  answered: number
}

export interface Visits {
  items: VisitRow[]
  slots: VisitSlot[]
  to_do: number
  waiting: number
  overdue: number
  today: VisitRates
  month: VisitRates
  coverage: VisitCoverage
}

/** What the page of visits shows of an order. */
export interface VisitedOrder {
  code: string
  version: number
  state: string
  subject: string
  description: string
  contact_name: string
  callback_number: string
  history: { n: number; at: string; who: string; event: string; note: string; given: Record<string, unknown> }[]
}

export interface AuditFinding {
  code: string
  check: string
  level: 'stop' | 'warn'
  zh: string
  en: string
  words: string
}

export interface AuditRow {
  code: string
  version: number
  kind: string
  urgency: string
  subject: string
  description: string
  department: string | null
  confidential: boolean
  due_at: string
  replied_at: string | null
  replied_by: string | null
  agreed_by: string | null
  result: string
  reply: string
  actions: string
  contact: string
  sent_back: string
  anonymous: boolean
  need: 'stopped' | 'doubtful' | 'drawn' | 'clean'
  findings: AuditFinding[]
}

export interface Audits {
  items: AuditRow[]
  waiting: number
  passed: number
  first: number
  share: number
}

export interface Limit {
  value: number
  unit: string
}

export interface PolicyRow extends Limit {
  code: string
  zh: string
  en: string
  measure: boolean
  at_once: boolean
}

export interface Difference {
  code: string
  before: Limit | null
  after: Limit
}

export interface PolicyVersion {
  version: number
  at: string
  by: string
  approved_by: string | null
  note: string
  orders: number
  differences: Difference[]
}

export interface PolicyProposal {
  id: number
  base: number
  note: string
  differences: Difference[]
  state: 'proposed' | 'approved' | 'refused' | 'withdrawn'
  proposed_by: string
  proposed_at: string
  decided_by: string | null
  decided_at: string | null
}

export interface PolicyTable {
  version: number
  items: PolicyRow[]
  versions: PolicyVersion[]
  proposals: PolicyProposal[]
}

export interface PolicyExample {
  code: string
  before: Limit
  after: Limit
  ends_before: string | null
  ends_after: string | null
  provisional: boolean
}

export interface PolicyPreview {
  at: string
  examples: PolicyExample[]
  orders: number
}
