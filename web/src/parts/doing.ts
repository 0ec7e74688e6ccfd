/** An act that may be refused: busy while it lasts, and its problem where the page shows it. */
import { ref, type Ref } from 'vue'
import { Problem } from '@/api/client'

export function useDoing() {
  const busy = ref(false)

  /** Do it; a Problem goes to `where`, which is emptied first. Every other error is thrown on. */
  async function doing(where: Ref<Problem | null>, act: () => Promise<unknown>): Promise<void> {
    busy.value = true
    where.value = null
    try {
      await act()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      where.value = error
    } finally {
      busy.value = false
    }
  }
  return { busy, doing }
}
