/** The shapes of notices, the citizen's door and attachments. Times are ISO-8601 in UTC. */

export type NoticeAction = 'edit_notices' | 'stop_texts' | 'remove_attachment'
export type NoticeState = 'waiting' | 'sent' | 'skipped' | 'failed'

export interface NoticeRow {
  id: number
  n: number
  recipient: string
  what: string
  template: string
  zh: string
  en: string
  state: NoticeState
  created_at: string
  due_at: string
  sent_at: string | null
  given_up_at: string | null
  tries: number
  error: string
  channel: string
  address: string
  text: string
}

export interface FailedNotice extends NoticeRow {
  code: string
}

export interface FailedPage {
  items: FailedNotice[]
  next: string | null
}

export interface OrderNotices {
  items: NoticeRow[]
  /** Null: the order has no number. */
  opted_out: boolean | null
}

export interface ShownText {
  text: string
  characters: number
  parts: number
}

export interface TextPreview {
  zh: ShownText | null
  en: ShownText | null
  faults: Record<string, string>
}

export interface NoticeTemplate {
  code: string
  name_zh: string
  name_en: string
  zh: string
  en: string
  version: number
  default_zh: string
  default_en: string
  allowed: string[]
  preview: TextPreview
}

export interface NoticeTemplates {
  items: NoticeTemplate[]
}

export type CitizenAct = 'rate' | 'reopen' | 'urge' | 'add' | 'object' | 'again' | 'withdraw'

export interface PublicWords {
  zh: string
  en: string
}

export interface PublicReply {
  text: string
  at: string
}

/** Of a confidential order all but `code`, `step` and `state` is null or empty. */
export interface PublicOrder {
  code: string
  step: number
  state: PublicWords
  kind: PublicWords | null
  unit: PublicWords | null
  received_at: string | null
  changed_at: string | null
  due_at: string | null
  reply: PublicReply | null
  acts: CitizenAct[]
  joined: boolean | null
}

export type FileKind = 'photo' | 'voice' | 'pdf'

export interface Attachment {
  id: string
  name: string
  form: string
  kind: FileKind
  bytes: number
  by: string
  at: string
  deleted_at: string | null
  deleted_by: string | null
  deleted_why: string
  open: boolean
}

export interface AttachmentList {
  items: Attachment[]
  most: Record<string, number>
  may_add: boolean
}
