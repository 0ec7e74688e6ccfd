/** Why two orders may be the same matter, in words. */
import type { MergeSign } from '@/api/joins'
import { useWords } from '@/i18n'

export function useSigns(): (sign: MergeSign) => string {
  const { t } = useWords()
  return ({ kind, value }) => t(`joins.sign.${kind === 'recent' && value === 0 ? 'today' : kind}`, { n: value })
}
