/** The floor (话务现场) for a page: followed while the page is open, painted as often as the service tells. */
import { onUnmounted, ref, shallowRef } from 'vue'
import type { FloorView } from '@/api/types'
import { learnClock } from '@/clock'
import { applyFloor, follow, type LiveState } from '@/live'
import { useNotices } from '@/stores/notices'
import { useReference } from '@/stores/reference'
import { useSession } from '@/stores/session'

export function useFloor() {
  const session = useSession()
  const notices = useNotices()
  const reference = useReference()
  const view = shallowRef<FloorView | null>(null)
  const state = ref<LiveState>('connecting')
  const heard = ref<number | null>(null)

  const live = follow<FloorView>('floor', applyFloor, {
    view(next) {
      if (view.value?.at !== next.at) learnClock(next.at)
      view.value = next
    },
    state(now, since) {
      state.value = now
      heard.value = since
    },
    told({ type }) {
      if (type === 'notices') void notices.load()
      if (type === 'breaks') void reference.reload()
    },
    refused: () => void session.begin(),
  })
  onUnmounted(() => live.stop())
  return { view, state, heard }
}
