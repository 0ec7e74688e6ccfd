/** Who is logged in, and what this installation says about itself. */
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { ask, get, Problem } from '@/api/client'
import type { About, Action, Language, Me } from '@/api/types'
import { learnClock } from '@/clock'
import { speak } from '@/i18n'

export const useSession = defineStore('session', () => {
  const about = shallowRef<About | null>(null)
  const me = shallowRef<Me | null>(null)
  const asked = ref(false)
  const trouble = shallowRef<Problem | null>(null)

  const zone = computed(() => about.value?.time_zone ?? 'Asia/Shanghai')
  const may = (action: Action): boolean => me.value?.may.includes(action) ?? false

  /** Ask the service what it is and who is logged in. Throws nothing; `trouble` says what went wrong. */
  async function begin(): Promise<void> {
    trouble.value = null
    try {
      const sent = Date.now()
      about.value = await get<About>('/about')
      learnClock(about.value.now, (sent + Date.now()) / 2)
      me.value = about.value.has_session ? await get<Me>('/session') : null
      if (me.value) speak(me.value.language)
    } catch (error) {
      if (error instanceof Problem && error.status !== 401) trouble.value = error
    } finally {
      asked.value = true
    }
  }

  async function logIn(login: string, password: string): Promise<void> {
    me.value = await ask<Me>('POST', '/session', { login, password })
    speak(me.value.language)
  }

  async function logOut(): Promise<void> {
    await ask('DELETE', '/session')
    me.value = null
  }

  /** Speak `language` here at once, and wherever this person logs in next. */
  async function setLanguage(language: Language): Promise<void> {
    speak(language)
    if (me.value) me.value = await ask<Me>('PATCH', '/session', { language })
  }

  function forget(): void {
    me.value = null
  }

  return { about, me, asked, trouble, zone, may, begin, logIn, logOut, setLanguage, forget }
})
