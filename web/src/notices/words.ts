import { useWords } from '@/i18n'
import { useReference } from '@/stores/reference'

const KNOWN = ['anonymous', 'opted_out', 'no_number', 'no_mobile', 'too_old']
/** Recipients of whom the role's name says it all. */
const ROLES = ['operator', 'support', 'dispatcher', 'follow_up', 'visitor', 'inspector', 'supervisor', 'coordinator', 'assessor', 'oversight', 'leader']

/** Whom a notice goes to and why it did not, in words. */
export function useNoticeWords() {
  const { t, named } = useWords()
  const reference = useReference()
  void reference.load().catch(() => undefined)
  const unit = (code: string) => named(reference.departments.get(code) ?? reference.regions.get(code), code)

  /** What a gateway said stays as it is. */
  const why = (error: string) => (KNOWN.includes(error) ? t(`notices.why.${error}`) : error)
  const to = (notice: { recipient: string; what: string; address: string }) => {
    const [kind = '', what = ''] = notice.address.includes(':') ? notice.address.split(':') : ['', '']
    if (kind === 'unit') return unit(what)
    if (kind === 'leader') return `${unit(what)} · ${t('role.unit_leader')}`
    if (kind === 'login') return what
    if (kind === 'role') return ROLES.includes(what) ? t(`role.${what}`) : what
    if (notice.recipient === 'citizen') return notice.address || t('notices.the_citizen')
    return notice.what ? unit(notice.what) : ROLES.includes(notice.recipient) ? t(`role.${notice.recipient}`) : notice.recipient
  }
  return { why, to }
}
