import type { Name } from '@/api/types'
import { useWords } from '@/i18n'

/** The name of a login, from the people that came with an answer. */
export function useNames(people: () => readonly Name[] | undefined) {
  const { person } = useWords()
  return (login: string | null | undefined): string => {
    const found = people()?.find((each) => each.login === login)
    return found ? person(found) : (login ?? '')
  }
}
