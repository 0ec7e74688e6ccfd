/** The names of people whose logins the service tells: asked for once, all of a page together. */
import { defineStore } from 'pinia'
import { reactive } from 'vue'
import { get, Problem } from '@/api/client'
import type { Colleague } from '@/api/types'
import { useWords } from '@/i18n'

/** So many are asked for at once. */
const MOST = 100

export const useColleagues = defineStore('colleagues', () => {
  const { t, person } = useWords()
  const known = reactive(new Map<string, Colleague>())
  const asked = new Set<string>()
  const waiting: string[] = []

  /** Somebody's name in the user's language; the login until it is known, and of whoever has no account. */
  function who(login: string | null | undefined): string {
    if (!login) return ''
    if (login === 'system') return t('role.system')
    const found = known.get(login)
    if (found) return person(found)
    if (!asked.has(login) && /^[a-z][a-z0-9._-]{1,31}$/.test(login)) {
      asked.add(login)
      if (waiting.push(login) === 1) setTimeout(() => void ask())
    }
    return login
  }

  async function ask(): Promise<void> {
    const logins = waiting.splice(0, MOST)
    if (waiting.length) setTimeout(() => void ask())
    try {
      const { items } = await get<{ items: Colleague[] }>(`/colleagues?of=${logins.join(',')}`)
      for (const each of items) known.set(each.login, each)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      // A login is a name too; another page asks again.
      for (const login of logins) asked.delete(login)
    }
  }

  return { who }
})
