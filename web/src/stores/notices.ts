/** What is announced now (公告、应急指引): asked for again when the service says so, and every so often in any case. */
import { defineStore } from 'pinia'
import { ref, shallowRef, watch } from 'vue'
import { get, Problem } from '@/api/client'
import type { Notice, PinnedNotice } from '@/api/service'
import { useSession } from './session'

const AGAIN_MS = 15_000

export const useNotices = defineStore('notices', () => {
  const session = useSession()
  const items = shallowRef<Notice[]>([])
  const pinned = shallowRef<PinnedNotice[]>([])
  const begun = ref(false)

  /** Ask now. What cannot be asked is left as it was: an old warning is better than none. */
  async function load(): Promise<void> {
    try {
      if (session.me) {
        pinned.value = (await get<{ items: PinnedNotice[] }>('/notices/pinned')).items
        items.value = pinned.value
      } else {
        items.value = (await get<{ items: Notice[] }>('/notices')).items
        pinned.value = []
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
  }

  function begin(): void {
    if (begun.value) return
    begun.value = true
    void load()
    watch(() => session.me?.login, load)
    setInterval(() => void load(), AGAIN_MS)
  }

  return { items, pinned, load, begin }
})
