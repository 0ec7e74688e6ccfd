import type { Action } from './api/types'
import type Icon from './parts/Icon.vue'
import type { useSession } from './stores/session'

/** A page for people who are logged in; `nav.<word>` and `start.<word>` are its name and what it is for. */
interface Door {
  to: string
  word: string
  icon: InstanceType<typeof Icon>['$props']['name']
  /** One of these is enough; none are needed by whoever is logged in. */
  needs: Action[]
}

/** In the order of a call's journey: the floor, the office, those who see to both. */
const DOORS: readonly Door[] = [
  { to: '/desk', word: 'desk', icon: 'desk', needs: ['sit'] },
  { to: '/wallboard', word: 'wallboard', icon: 'board', needs: ['see_floor'] },
  { to: '/expert', word: 'expert', icon: 'people', needs: ['answer_expert'] },
  { to: '/calls', word: 'calls', icon: 'list', needs: ['see_calls'] },
  { to: '/callbacks', word: 'callbacks', icon: 'back', needs: ['see_callbacks'] },
  { to: '/inbox', word: 'inbox', icon: 'mail', needs: ['see_orders'] },
  { to: '/dispatch', word: 'dispatch', icon: 'pass', needs: ['dispatch'] },
  { to: '/orders', word: 'orders', icon: 'sheet', needs: ['see_orders'] },
  { to: '/visits', word: 'visits', icon: 'phone', needs: ['visit'] },
  { to: '/audits', word: 'audits', icon: 'check', needs: ['audit_reply'] },
  { to: '/unit-report', word: 'unit_report', icon: 'plan', needs: ['see_unit_report'] },
  { to: '/quality', word: 'quality', icon: 'check', needs: ['grade_calls', 'see_grades', 'see_own_grades'] },
  { to: '/routing', word: 'routing', icon: 'desk', needs: ['edit_routing'] },
  { to: '/staffing', word: 'staffing', icon: 'plan', needs: ['see_reports', 'manage_roster'] },
  { to: '/experts', word: 'experts', icon: 'people', needs: ['manage_roster'] },
  { to: '/deletions', word: 'deletions', icon: 'lock', needs: ['hold_recording'] },
  { to: '/privacy', word: 'privacy', icon: 'lock', needs: ['see_identity_requests'] },
  { to: '/audit', word: 'audit', icon: 'list', needs: ['read_audit_log'] },
  { to: '/breaks', word: 'breaks', icon: 'coffee', needs: ['edit_breaks'] },
  { to: '/notices', word: 'notices', icon: 'mail', needs: ['edit_notices'] },
  { to: '/hours', word: 'hours', icon: 'clock', needs: [] },
  { to: '/policies', word: 'policies', icon: 'clock', needs: ['see_orders', 'propose_rules'] },
  { to: '/duties', word: 'duties', icon: 'sheet', needs: ['see_duties'] },
  { to: '/flow', word: 'flow', icon: 'plan', needs: ['see_orders', 'propose_rules'] },
  { to: '/announce', word: 'announce', icon: 'horn', needs: ['manage_incident'] },
  { to: '/alarms', word: 'alarms', icon: 'bell', needs: ['edit_alarms'] },
  { to: '/admin', word: 'admin', icon: 'people', needs: ['manage_users', 'manage_seats'] },
]

/** The pages that this person may open; none for who is not logged in. */
export const doorsOf = (session: Pick<ReturnType<typeof useSession>, 'me' | 'may'>): Door[] =>
  session.me ? DOORS.filter(({ needs }) => !needs.length || needs.some(session.may)) : []

/** For whoever is not logged in. */
export const PUBLIC: readonly Door[] = [
  { to: '/progress', word: 'progress', icon: 'sheet', needs: [] },
  { to: '/login', word: 'login', icon: 'desk', needs: [] },
]

/** In the demo, for all. */
export const TRY: Door = { to: '/try', word: 'try', icon: 'phone', needs: [] }
