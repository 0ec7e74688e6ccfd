/** How a limit is written: `5 working days`, `09:00`, `20 %`. */
import type { Limit } from '@/api/visits'
import { useWords } from '@/i18n'

const pad = (n: number) => String(n).padStart(2, '0')

export function useLimits() {
  const { t } = useWords()
  const words = ({ value, unit }: Limit): string =>
    unit === 'o_clock' ? `${pad(Math.floor(value / 60))}:${pad(value % 60)}` : `${value} ${t(`policies.units.${unit}`)}`
  return { words }
}
