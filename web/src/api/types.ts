/** The shapes of the service's API. Times are ISO-8601 in UTC. */

import type { ListAction } from './lists'
import type { NoticeAction } from './notices'
import type { RightsAction } from './rights'
import type { ServiceAction } from './service'
import type { VisitAction } from './visits'

export type Language = 'zh' | 'en'
/** An action of the permission table, as far as the pages ask for it. */
export type Action = 'sit' | 'see_floor' | 'see_calls' | 'see_orders' | 'see_callbacks' | 'call_back' | 'call_out' | 'edit_breaks' | 'manage_users' | 'manage_seats' | 'see_reports' | 'see_all_calls' | 'listen_recording' | 'hold_recording' | 'manage_roster' | 'edit_routing' | 'see_raw_orders' | SupervisorAction | QualityAction | ServiceAction | NoticeAction | VisitAction | RightsAction | ListAction

export interface About {
  version: string
  demo: boolean
  calls_leave: boolean
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
  /** About its middle; of districts. */
  lat: number | null
  lon: number | null
}

export interface Service extends Named {
  number: string
  /** Whose line it is, or was. */
  department: string
}

export interface BreakReason extends Named {
  /** A day at most; null: no limit. */
  minutes: number | null
  counted: boolean
}

export interface Reference {
  kinds: Kind[]
  urgencies: Named[]
  categories: Category[]
  regions: Region[]
  departments: Named[]
  services: Service[]
  breaks: BreakReason[]
  /** Of those who have taken a seat, the share that may be on counted breaks at once. */
  away_share: number
  /** So many may in any case. */
  away_least: number
}

export type CallState = 'dialling' | 'greeting' | 'waiting' | 'ringing' | 'talking' | 'on_hold'
export type SeatState = 'offline' | 'ready' | 'ringing' | 'talking' | 'on_hold' | 'reserved' | 'wrap_up' | 'break' | 'unreachable'
export type Outcome =
  | 'answered'
  | 'abandoned_greeting'
  | 'abandoned_queue'
  | 'abandoned_ringing'
  | 'timed_out'
  | 'nobody_on_duty'
  | 'refused'
  | 'interrupted'
  | 'callback'
  | 'not_reached'
  | 'unknown_gap'

/** The line to Asterisk, as the service sees it. */
export interface Link {
  state: 'live' | 'stale' | 'away'
  since: string
  why: string | null
}

export type LegKind = 'queue' | 'transfer' | 'consult' | 'emergency'

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
  origin: string | null
  /** Why it goes before others: a word of agents/priority.py, or nothing. */
  priority: string
  /** The latest act of the guard of the 15 seconds. */
  act: string | null
}

/** The screen-pop (来电弹屏): a live call in full. `name` is whatever a stranger sent. */
export interface Party {
  kind: LegKind
  state: 'ringing' | 'talking'
  since: string | null
  seat: string
  name_zh: string
  name_en: string
  line: string
}

export interface SeatTarget {
  number: string
  login: string
  zh: string
  en: string
  state: SeatState
  since: string | null
  free: boolean
}

export interface QueueTarget {
  code: string
  zh: string
  en: string
  waiting: number
  ready: number
}

export interface LineTarget {
  code: string
  number: string
  zh: string
  en: string
  department_zh: string
  department_en: string
}

export interface Targets {
  seats: SeatTarget[]
  queues: QueueTarget[]
  lines: LineTarget[]
  emergencies: LineTarget[]
}

export interface Pop extends CallRow {
  name: string
  parked: boolean
  kind: LegKind
  parties: Party[]
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
  /** When the guard ended the last wrap-up for a waiting caller; until the next pause. */
  wrap_up_cut: string | null
  /** Asked for during a call: a break's code or LEAVE, begun when call and wrap-up are over. */
  next: string | null
  /** Until when the break is within its limit. */
  break_until: string | null
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
  callback: number
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
  callbacks: { waiting: number; asked: number; since: string | null }
  alarms: AlarmRow[]
  /** Who is in whose call: told to supervisors alone. */
  supervisions?: SupervisionRow[]
}

export type SupervisorAction = 'supervise' | 'pull_call' | 'force_seat' | 'send_message' | 'edit_alarms'
export type SupervisionMode = 'listen' | 'whisper' | 'join' | 'take'

/** A supervisor in an agent's call; `since` is null while the supervisor's phone rings. */
export interface SupervisionRow {
  id: string
  login: string
  name_zh: string
  name_en: string
  seat: string
  on: string
  agent: string
  call: string
  mode: SupervisionMode
  since: string | null
}

export type AlarmKind = 'waiting' | 'longest_wait' | 'in_time' | 'ready' | 'link' | 'recording' | 'notices'
export type Severity = 'warning' | 'critical'

export interface AlarmRow {
  id: string
  rule: string
  kind: AlarmKind
  severity: Severity
  value: number
  threshold: number
  raised_at: string
  cleared_at: string | null
  acked_by: string | null
  acked_at: string | null
}

export interface AlarmRuleBody {
  kind: AlarmKind
  raise_at: number
  clear_at: number
  hold_seconds: number
  severity: Severity
  window_minutes: number
  least_calls: number
  active: boolean
}

export interface AlarmRule extends AlarmRuleBody {
  code: string
  changed_by: string
  changed_at: string
}

export interface AlarmRules {
  items: AlarmRule[]
  webhooks: { addresses: number; waiting: number; given_up: number }
}

/** A supervisor's words, or what a supervisor did to one's seat. An urgent one stays until it is confirmed. */
export interface MessageRow {
  id: string
  at: string
  sender: string
  sender_zh: string
  sender_en: string
  kind: 'message' | 'break' | 'ready' | 'log_out'
  to_kind: 'person' | 'queue' | 'all'
  to_what: string
  text: string
  urgent: boolean
  read_at: string | null
}

export interface SentMessage {
  message: MessageRow
  read: string[]
  unread: string[]
}

export interface DeskView {
  n: number
  epoch: string
  seat: SeatRow | null
  call: Pop | null
  link: Link
  /** Messages that came since the snapshot. */
  mail?: MessageRow[]
  /** Supervisors in one's own call, where the settings let agents know. */
  supervised?: SupervisionRow[]
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

/** One's own day, but for the state that goes on: that one began at `since`. */
export interface OwnDay {
  day: string
  since: string | null
  states: { state: SeatState; reason: string | null; ms: number; times: number }[]
  taken: number
  talk_ms: number
  talks: number
  missed: number
  first: number
  in_time: number
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
  direction: 'in' | 'callback'
  origin: string | null
  order: { code: string | null; state: string } | null
  source: string
}

/** A citizen to be called back; `id` is the call that this answers. */
export interface Callback {
  id: string
  number: string
  origin: string
  service: string
  queue: string
  language: string
  place_at: string
  asked_at: string
  state: 'waiting' | 'dialling' | 'reached' | 'done' | 'failed' | 'cancelled' | 'merged' | 'expired'
  reason: string
  tries: number
  next_at: string | null
  call_id: string | null
  seat: string | null
  login: string | null
  updated_at: string
  order: string | null
}

/** The limit of one reason for a break; null: as long as it takes. */
export interface BreakLimit {
  code: string
  /** A day. */
  minutes: number | null
  /** In one break. */
  once: number | null
  counted: boolean
}

export interface BreakRules {
  limits: BreakLimit[]
  /** Percent. */
  share: number
  least: number
}

export interface VersionedBreaks {
  version: number
  rules: BreakRules
}

/** Proof that a recording is gone (销毁证明). */
export interface Deletion {
  n: number
  call_id: string
  recorded_at: string
  length_ms: number
  bytes: number
  sha256: string | null
  rule: 'unheard' | 'talk' | 'order' | 'emergency'
  days: number
  deleted_at: string
  seal: string
}

export interface Deletions {
  items: Deletion[]
  total: number
  /** The first proof that was tampered with. */
  broken: number | null
}

/** Whom a call from the desk would reach; the number is masked. */
export interface Whom {
  number: string
}

/** How far a call of one's own is; `reached` once it has ended. */
export interface Progress {
  state: 'reserving' | 'dialling' | 'answered' | 'ringing' | 'talking' | 'ended'
  reached: boolean | null
}

export interface CallbackList {
  items: Callback[]
  dials: boolean
  tries: number
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
  kind: LegKind
  line: string
  /** Why it rang past the queue: last_agent, pulled; or nothing. */
  why: string
}

/** What is told of a recording to whoever sees the call. */
export interface Recording {
  recorded_at: string
  length_ms: number
  gap: 'missing' | 'short' | null
  gap_ms: number | null
  hold: string | null
  deleted_at: string | null
}

/** What the citizen answered after the talk. */
export interface Survey {
  asked_at: string
  solved: 'yes' | 'no' | null
  satisfied: 'satisfied' | 'basically' | 'dissatisfied' | null
}

export interface CallDetail extends CallRecord {
  segments: Segment[]
  recording: Recording | null
  survey: Survey | null
  guard: GuardAct[]
}

/** What the guard of the 15 seconds did for a call; `seat` is where it ended a wrap-up. */
export interface GuardAct {
  act: string
  at: string
  seat: string
}

export interface SurveyFigures {
  answered: number
  asked: number
  rated: number
  yes: number
  no: number
  satisfied: number
  basically: number
  dissatisfied: number
}

export type ListenReason = 'quality' | 'complaint' | 'order' | 'dispute' | 'training' | 'request'

/** An open listening: `citizen` and `staff` are loudness, 0 to 127, in equal parts of the length. */
export interface Listening {
  url: string
  expires_at: string
  length_ms: number
  recorded_at: string
  citizen: number[]
  staff: number[]
}

/** A place, WGS-84 in degrees. */
export interface Point {
  lat: number
  lon: number
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
  anonymous: boolean
  public_danger: boolean
  complained_person: string
  complained_units: string[]
  point: Point | null
}

export type OrderEnd = 'answered' | 'investigating' | 'pending_dispatch' | 'not_accepted' | 'transferred_out' | 'invalid'

export interface Draft {
  form: OrderForm
  version: number
  saved_at: string
}

export interface DraftFound {
  draft: Draft | null
}

/** A draft in the service's list. */
export interface ListedDraft {
  call_id: string
  saved_at: string
  service: string | null
  arrived_at: string | null
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
  confidential: boolean
}

export interface History {
  calls: CallRecord[]
  orders: OrderRow[]
}

export interface Page<Item> {
  items: Item[]
  next: string | null
}

/** A person by whose login something was done. */
export interface Colleague {
  login: string
  name_zh: string
  name_en: string
}

/** What of an account waits for a second administrator; what stays as it is, is null. */
export interface AccountProposal {
  id: number
  by: string
  at: string
  roles: string[] | null
  /** Empty: out of theirs. */
  unit: string | null
  active: boolean | null
  password: boolean
}

export interface User {
  login: string
  name_zh: string
  name_en: string
  roles: string[]
  active: boolean
  /** The department or district that somebody works for; null: the centre. */
  unit: string | null
  proposal: AccountProposal | null
}

export interface SeatAccount {
  number: string
  active: boolean
}

// --- quality ---------------------------------------------------------------------------------------------------------

export type QualityAction =
  | 'draw_samples'
  | 'grade_calls'
  | 'edit_grade_forms'
  | 'see_grades'
  | 'see_own_grades'

export type Scale = 'two' | 'two_or_none' | 'three' | 'three_or_none'
export type Mark = 'yes' | 'partly' | 'no' | 'none'

export interface GradeItem extends Named {
  weight: number
  scale: Scale
  /** Answered `no`, it zeroes the grade (致命项). */
  critical: boolean
}

export interface GradeSection extends Named {
  items: GradeItem[]
}

export interface GradeForm extends Named {
  pass_at: number
  sections: GradeSection[]
  /** Nobody is graded on it any more. */
  retired: boolean
}

export interface VersionedForm {
  version: number
  form: GradeForm
}

export interface Sampling {
  per_agent: number
  strata: { code: string; take: number }[]
  long_seconds: number
  short_seconds: number
  appeal_days: number
}

export interface VersionedRule {
  version: number
  rule: Sampling
}

export interface Name {
  login: string
  name_zh: string
  name_en: string
}

export type ReviewState = 'todo' | 'graded' | 'appealed' | 'upheld' | 'changed'

export interface ReviewRow {
  id: number
  week: string
  call_id: string
  login: string
  stratum: string
  calibration: boolean
  reviewer: string | null
  state: ReviewState
  arrived_at: string | null
  service: string | null
  talk_ms: number
  score: number | null
  fatal: string[]
  grader: string | null
  graded_at: string | null
  appeal_until: string | null
}

export interface Reviews {
  items: ReviewRow[]
  people: Name[]
}

export interface GradeAnswer {
  item: string
  answer: Mark
}

export interface Grade {
  n: number
  answers: GradeAnswer[]
  note: string
  score: number
  weighted: number
  fatal: string[]
  grader: string
  at: string
}

export interface ReviewedCall {
  id: string
  number: string
  dialed: string
  service: string
  arrived_at: string
  wait_ms: number | null
  talk_ms: number | null
  held_ms: number
  ended_by: string | null
  segments: Segment[]
  recording: Recording | null
  survey: Survey | null
}

export interface ReviewedOrder {
  code: string
  state: string
  kind: string
  category: string
  urgency: string
  subject: string
  description: string
  confidential: boolean
}

export interface Review extends ReviewRow {
  call: ReviewedCall | null
  order: ReviewedOrder | null
  form: VersionedForm
  /** Those on which it may be graded. */
  forms: VersionedForm[]
  grades: Grade[]
  history: { at: string; who: string; event: string; note: string }[]
  people: Name[]
  may: ('take' | 'grade' | 'appeal' | 'decide')[]
}

export interface WeekDrawn {
  week: string
  seed: string | null
  rule: { version: number; rule: Sampling }
  picks: { login: string; call_id: string; stratum: string; lot: string; pool: number }[]
}

export interface Drawn {
  candidates: number
  drawn: number
  unassigned: number
}

export interface Calibration {
  call_id: string
  login: string
  at: string
  graders: { reviewer: string; graded: boolean; score: number | null; fatal: string[]; answers: GradeAnswer[] }[]
  spread: number | null
  differ: string[]
  form: VersionedForm | null
}

export interface Results {
  weeks: string[]
  agents: { login: string; week: string; graded: number; score: number; fatal: number }[]
  people: Name[]
  form: VersionedForm
  items: { item: string; week: string; share: number; n: number }[]
}

// --- staffing --------------------------------------------------------------------------------------------------------

export type DayKind = 'workday' | 'rest' | 'holiday' | 'makeup' | 'after'

/** A quarter of an hour. `needs`: seats for 80, 90 and 95 % within 15 s. */
export interface StaffSlot {
  at: string
  expected: number | null
  anew: number | null
  actual: number | null
  needs: number[] | null
  rostered: number
}

export interface StaffDay {
  day: string
  kind: DayKind
  slots: StaffSlot[]
}

export interface Intraday {
  arrived: number
  expected: number
  rest_planned: number
  rest_anew: number
  needed: number
  rostered: number
  seated: number
}

export interface Staffing {
  days: StaffDay[]
  handling: { talk: number; wrap_up: number; assumed: boolean }
  history_days: number
  history_demo: boolean
  today: Intraday | null
}

/** Shares of all offered calls. */
export interface Tried {
  in_time: number
  margin: number
  abandoned: number
  called_back: number
  wait_p95: number | null
}

export interface WhatIf {
  calls: number
  handling: { talk: number; wrap_up: number; assumed: boolean }
  without: Tried
  guarded: Tried
}

/** A shift (班次) in the city's clock; an end not after the start is on the next day. */
export interface RosterShift {
  login: string
  start: string
  end: string
  queue: string | null
}

export interface RosterDay {
  day: string
  kind: DayKind
  version: number
  published: boolean
  shifts: RosterShift[]
}

export interface PersonName {
  login: string
  name_zh: string
  name_en: string
}

/** `serves`: the queues of this person's skills. */
export interface RosterPerson extends PersonName {
  serves: string[]
}

/** Nobody on duty serves these `queues`. */
export interface RosterGap {
  start: string
  end: string
  queues: string[]
}

export interface Roster {
  days: RosterDay[]
  people: RosterPerson[]
  queues: Named[]
  gaps: RosterGap[]
}

export interface OnDuty {
  login: string
  starts_at: string
  ends_at: string
  seat: string | null
  state: SeatState | null
}

export interface Unplanned {
  login: string
  seat: string
  state: SeatState
}

export interface Adherence {
  rostered: OnDuty[]
  unplanned: Unplanned[]
  people: PersonName[]
  unknown: boolean
}

/** Who takes which calls (话务分配). `levels`: queue -> 1 first .. 3 backup, 4 volunteer. */
export interface Routing {
  services: ServiceWay[]
  queues: QueueSettings[]
  people: RoutingPerson[]
  guard: GuardDeadline[]
}

export interface ServiceWay {
  service: string
  number: string
  zh: string
  en: string
  queue: string
  elderly: boolean
}

/** Seconds that a phone rings and that a caller waits at most, and how many may wait. */
export interface QueueSettings extends Named {
  ring: number
  longest_wait: number
  most_waiting: number
  /** Above 0: no skill; everybody serves it, before all else. */
  weight: number
}

export interface RoutingPerson {
  login: string
  name_zh: string
  name_en: string
  roles: string[]
  seat: string | null
  levels: Record<string, number>
}

export interface GuardDeadline {
  act: string
  seconds: number
}
