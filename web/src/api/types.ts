/** The shapes of the service's API. Times are ISO-8601 in UTC. */

export type Language = 'zh' | 'en'
/** An action of the permission table, as far as the pages ask for it. */
export type Action = 'sit' | 'see_floor' | 'see_calls' | 'see_orders' | 'manage_users' | 'manage_seats'

export interface About {
  version: string
  demo: boolean
  time_zone: string
  hotline: string
  /** The browser brought a session's cookie: it is worth asking whose. */
  has_session: boolean
  now: string
}

export interface Me {
  login: string
  name_zh: string
  name_en: string
  roles: string[]
  may: string[]
  language: Language
}

export interface Named {
  code: string
  zh: string
  en: string
}

export interface Kind extends Named {
  /** What becomes of it: answered at once, connected to a window, recorded, or a work order (工单). */
  mode: string
}

export interface Category extends Named {
  parent: string
  pinyin: string
  initials: string
  lead: string
  default_kind: string
  default_urgency: string
  flags: string
  keywords: string
}

export interface Region extends Named {
  parent: string
  level: string
}

export interface Service extends Named {
  number: string
}

export interface Reference {
  kinds: Kind[]
  urgencies: Named[]
  categories: Category[]
  regions: Region[]
  departments: Named[]
  services: Service[]
  breaks: Named[]
}

export type CallState = 'greeting' | 'waiting' | 'ringing' | 'talking' | 'on_hold'
export type SeatState = 'offline' | 'ready' | 'ringing' | 'talking' | 'on_hold' | 'wrap_up' | 'break' | 'unreachable'
export type Outcome =
  | 'answered'
  | 'abandoned_greeting'
  | 'abandoned_queue'
  | 'abandoned_ringing'
  | 'timed_out'
  | 'nobody_on_duty'
  | 'refused'
  | 'interrupted'
  | 'unknown_gap'

/** The line to Asterisk, as the service sees it. */
export interface Link {
  state: 'live' | 'stale' | 'away'
  since: string
  why: string | null
}

export interface CallRow {
  id: string
  state: CallState
  number: string
  dialed: string
  service: string
  language: string
  menu: string
  queue: string | null
  arrived_at: string
  queued_at: string | null
  answered_at: string | null
  seat: string | null
  late: boolean
}

/** The screen-pop (来电弹屏): a live call in full. `name` is whatever a stranger sent. */
export interface Pop extends CallRow {
  name: string
  waited_ms: number | null
  ended_at: string | null
  outcome: Outcome | null
}

export interface SeatRow {
  number: string
  state: SeatState
  since: string
  reason: string | null
  login: string | null
  name_zh: string | null
  name_en: string | null
  phone: 'browser' | 'desk' | null
  call: string | null
  missed: number
  wrap_up_until: string | null
  queues: string[]
}

export interface Worst {
  share: number
  start: string
}

export interface Minute {
  minute: string
  offered: number
  answered: number
  in_time: number
  abandoned: number
}

export interface Figures {
  as_of: string
  day: string
  offered: number
  answered: number
  in_time: number
  in_time_from_invite: number
  abandoned: number
  other: number
  service_level: number | null
  service_level_from_invite: number | null
  connect_rate: number | null
  worst24: { service_level: Worst | null; connect_rate: Worst | null }
  goals: { service_seconds: number; connect_rate: number; connect_standard: number }
  services: { service: string; offered: number; answered: number; in_time: number }[]
  last_hour: Minute[]
  waits: { p50: number; p90: number; max: number } | null
}

export interface FloorView {
  n: number
  epoch: string
  at: string
  node: string
  link: Link
  calls: Record<string, CallRow>
  seats: Record<string, SeatRow>
  figures: Figures
}

export interface DeskView {
  n: number
  epoch: string
  seat: SeatRow | null
  call: Pop | null
  link: Link
}

export interface Sip {
  ws_url: string
  uri: string
  user: string
  password: string
}

export interface Desk {
  seat: SeatRow | null
  call: Pop | null
  seats: { number: string; taken_by: string | null }[]
  sip: Sip | null
}

export interface TryLine extends Sip {
  numbers: { number: string; name_zh: string; name_en: string }[]
}

export interface CallRecord {
  id: string
  number: string
  dialed: string
  service: string
  language: string
  menu: string
  queue: string | null
  arrived_at: string
  queued_at: string | null
  answered_at: string | null
  ended_at: string | null
  wait_ms: number | null
  wait_from_invite_ms: number | null
  talk_ms: number | null
  held_ms: number | null
  outcome: Outcome | null
  ended_by: string | null
  seat: string | null
  login: string | null
  order: { code: string | null; state: string } | null
  source: string
}

export interface Segment {
  seat: string
  login: string | null
  queue: string | null
  rung_at: string
  answered_at: string | null
  ended_at: string | null
  how: string | null
  talk_ms: number | null
}

export interface CallDetail extends CallRecord {
  segments: Segment[]
}

export interface OrderForm {
  kind: string
  category: string
  urgency: string
  subject: string
  description: string
  place: string
  region: string
  contact_name: string
  callback_number: string
  confidential: boolean
}

export type OrderEnd = 'answered' | 'pending_dispatch'

export interface Draft {
  form: OrderForm
  version: number
  saved_at: string
}

export interface DraftFound {
  draft: Draft | null
}

export interface DraftSaved {
  version: number
  saved_at: string
  stored: 'database' | 'journal'
}

export interface OrderSaved {
  code: string | null
  state: string
  call_id: string
  stored: 'database' | 'journal'
}

export interface OrderRow {
  code: string | null
  state: string
  kind: string
  category: string
  urgency: string
  subject: string
  department: string | null
  created_at: string
  call_id: string
  confidential: boolean
}

export interface OrderStep {
  at: string
  who: string
  event: string
  from_state: string
  to_state: string
  note: string
}

/** Who it came from is hidden when it is confidential, but to who wrote it. */
export interface OrderDetail extends OrderRow {
  description: string
  place: string
  region: string
  contact_name: string
  callback_number: string
  created_by: string
  updated_at: string
  history: OrderStep[]
}

export interface History {
  calls: CallRecord[]
  orders: OrderRow[]
}

export interface Page<Item> {
  items: Item[]
  next: string | null
}

export interface User {
  login: string
  name_zh: string
  name_en: string
  roles: string[]
  active: boolean
}

export interface SeatAccount {
  number: string
  active: boolean
}
