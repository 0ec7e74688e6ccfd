/** The shapes of opening hours, the number map and announcements. Times are ISO-8601 in UTC, days YYYY-MM-DD. */

export type ServiceAction = 'propose_calendar' | 'approve_calendar' | 'cut_over_number' | 'manage_incident' | 'ask_expert' | 'answer_expert'
export type Closed = 'holiday' | 'day_off' | 'special' | 'hours' | 'booked_only' | 'other_matters'
export type PlaceKind = 'hotline' | 'line' | 'centre'

export interface Words {
  zh: string
  en: string
}

export interface Stretch {
  start: string
  end: string
  booked: boolean
  domains: string[]
}

export interface OpenNow {
  code: string
  at: string
  open: boolean
  why: Closed | null
  until: string | null
  next_opening: string | null
  provisional: boolean
  special: Words | null
}

export interface PlaceRow extends OpenNow {
  kind: PlaceKind
  zh: string
  en: string
  department: string
  today: Stretch[]
}

export interface DayRow {
  day: string
  working: boolean
  made_up: boolean
  provisional: boolean
  holiday: Words | null
  special: Words | null
  spans: Stretch[]
}

export interface Calendars {
  at: string
  today: DayRow
  items: PlaceRow[]
}

export interface Week extends PlaceRow {
  days: DayRow[]
}

export interface DueDay {
  start: string
  n: number
  day: string
  provisional: boolean
}

export interface CalendarChange {
  id: number
  kind: 'special' | 'lift' | 'year'
  place: string
  day: string
  what: { spans?: [number, number][]; zh?: string; en?: string; year?: number; off?: string[]; made_up?: string[]; notice?: string }
  state: 'proposed' | 'approved' | 'refused' | 'withdrawn'
  proposed_by: string
  proposed_at: string
  decided_by: string | null
  decided_at: string | null
}

export interface NumberRow {
  number: string
  zh: string
  en: string
  owner: string
  mode: string
  retained: boolean
  state: 'untouched' | 'unified' | 'open' | 'closing' | 'closed'
  rings_here: boolean
  calls: number
  day: string | null
  announced: boolean
  reason: string
  by: string | null
}

export type NoticeKind = 'info' | 'guidance'

export interface Notice {
  id: number
  kind: NoticeKind
  zh: string
  en: string
  until: string | null
}

export interface PinnedNotice extends Notice {
  answers: Words[]
  heard: boolean
}

export interface AnnouncementRow {
  id: number
  kind: NoticeKind
  zh: string
  en: string
  starts_at: string
  ends_at: string | null
  prompt: string
  answers: Words[]
  by: string
  at: string
  ended_by: string | null
  ended_at: string | null
  state: 'planned' | 'on' | 'over'
  heard: boolean
}

export interface PresetRow {
  code: string
  kind: NoticeKind
  zh: string
  en: string
  hours: number
  prompt: string
  answers: Words[]
}

export interface PromptRow {
  code: string
  own: boolean
  zh: string
  en: string
  seconds_zh: number
  seconds_en: number
}

export interface Announcements {
  items: AnnouncementRow[]
  presets: PresetRow[]
  prompts: PromptRow[]
  opening: number
  longest: number
  takes_own: boolean
}

export interface DutyHours {
  on: 'every_day' | 'working_day' | 'saturday'
  start: string
  end: string
}

export interface ExpertRow {
  login: string
  name_zh: string
  name_en: string
  fields: string[]
  hours: DutyHours[]
  on_duty: boolean
  there: boolean
}

/** A question to the experts; nothing in it says who called. */
export interface Question {
  id: string
  call_id: string
  category: string
  text: string
  identity: string | null
  asked_by: string
  asked_at: string
  due_at: string
  state: 'open' | 'answered' | 'withdrawn'
  answer: string | null
  answered_by: string | null
  answered_at: string | null
  proposed: boolean
}

export interface Asked {
  question: Question
  there: number
  provisional: boolean
}
