/** One timeline of what happened to an order (时间线), from all that tells of it. Pure. */
import type { Attachment, NoticeRow } from '@/api/notices'
import type { Entry, IncomingText, OrderCall, Reveal } from '@/api/orders'

/** What is beside an order's history; each part comes by a question of its own. */
export interface Beside {
  calls: readonly OrderCall[]
  notices: readonly NoticeRow[]
  files: readonly Attachment[]
  texts: readonly IncomingText[]
  reveals: readonly Reveal[]
}
export const NOTHING: Beside = { calls: [], notices: [], files: [], texts: [], reveals: [] }

export const KINDS = ['act', 'urge', 'call', 'notice', 'reminder', 'text', 'file', 'reveal'] as const
export type Kind = (typeof KINDS)[number]

export type Moment = { kind: Kind; key: string; at: string } & (
  | { is: 'entry'; entry: Entry }
  | { is: 'call'; call: OrderCall }
  | { is: 'notice'; notice: NoticeRow }
  | { is: 'file'; file: Attachment; gone: boolean }
  | { is: 'text'; text: IncomingText }
  | { is: 'reveal'; reveal: Reveal }
)

/** Urging, supervision orders, cards, interviews (催办、督办). */
const URGES = /^(propose_)?(urge|answer_urging|supervise|.*_supervision|advise_interview)$/
/** What clocks tell. */
const REMINDERS: readonly string[] = ['staff.time_runs', 'staff.time_is_over', 'citizen.time_runs']

const entries = (all: readonly Entry[]): Moment[] =>
  all.map((entry) => ({ is: 'entry', kind: URGES.test(entry.event) ? 'urge' : 'act', key: `e${entry.n}`, at: entry.at, entry }))
const calls = (all: readonly OrderCall[]): Moment[] => all.map((call) => ({ is: 'call', kind: 'call', key: `c${call.id}`, at: call.arrived_at, call }))
const notices = (all: readonly NoticeRow[]): Moment[] =>
  all.map((notice) => ({
    is: 'notice',
    kind: REMINDERS.includes(notice.template) ? 'reminder' : 'notice',
    key: `n${notice.id}`,
    at: notice.sent_at ?? notice.given_up_at ?? notice.created_at,
    notice,
  }))
const texts = (all: readonly IncomingText[]): Moment[] => all.map((text) => ({ is: 'text', kind: 'text', key: `t${text.id}`, at: text.at, text }))
const files = (all: readonly Attachment[]): Moment[] =>
  all.flatMap((file): Moment[] => [
    { is: 'file', kind: 'file', key: `f${file.id}`, at: file.at, file, gone: false },
    ...(file.deleted_at ? [{ is: 'file' as const, kind: 'file' as const, key: `g${file.id}`, at: file.deleted_at, file, gone: true }] : []),
  ])
const reveals = (all: readonly Reveal[]): Moment[] => all.map((reveal) => ({ is: 'reveal', kind: 'reveal', key: `r${reveal.id}`, at: reveal.at, reveal }))

/** Newest first; what has the same moment stays in its order, the later one on top: of a call, what it led to. */
export function timeline(history: readonly Entry[], beside: Partial<Beside>): Moment[] {
  const { calls: heard, notices: told, files: brought, texts: written, reveals: seen } = { ...NOTHING, ...beside }
  return [...calls(heard), ...texts(written), ...entries(history), ...files(brought), ...notices(told), ...reveals(seen)]
    .map((moment, order) => ({ moment, order, at: Date.parse(moment.at) }))
    .sort((a, b) => b.at - a.at || b.order - a.order)
    .map(({ moment }) => moment)
}

/** How many there are of each kind that is there at all, in the order in which they are offered. */
export const kindsOf = (moments: readonly Moment[]): { kind: Kind; n: number }[] =>
  KINDS.map((kind) => ({ kind, n: moments.filter((moment) => moment.kind === kind).length })).filter(({ n }) => n > 0)
