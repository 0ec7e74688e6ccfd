/** The floor (话务现场) for a page: followed while the page is open, repainted at most twice a second. */
import { onUnmounted, ref, shallowRef } from 'vue'
import type { FloorView } from '@/api/types'
import { learnClock } from '@/clock'
import { applyFloor, follow, type LiveState } from '@/live'
import { useSession } from '@/stores/session'

const REPAINT_MS = 500

export function useFloor() {
  const session = useSession()
  const view = shallowRef<FloorView | null>(null)
  const state = ref<LiveState>('connecting')
  const heard = ref<number | null>(null)

  let newest: FloorView | null = null
  let painted = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function paint(): void {
    timer = undefined
    painted = Date.now()
    view.value = newest
  }

  const live = follow<FloorView>('floor', applyFloor, {
    view(next) {
      if (newest === null || next.at !== newest.at) learnClock(next.at)
      newest = next
      timer ??= setTimeout(paint, Math.max(0, painted + REPAINT_MS - Date.now()))
    },
    state(now, since) {
      // A snapshot is on the screen before it is called live.
      if (now === 'live') {
        clearTimeout(timer)
        paint()
      }
      state.value = now
      heard.value = since
    },
    refused: () => void session.begin(),
  })
  onUnmounted(() => {
    clearTimeout(timer)
    live.stop()
  })
  return { view, state, heard }
}
