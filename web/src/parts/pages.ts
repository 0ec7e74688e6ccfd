/**
 * A list that comes in pages: the first on every change of its filters, more on demand.
 *
 * A page that is not full and names a next one has looked only so far: it is gone on with, so many times.
 */
import { ref, shallowRef } from 'vue'
import { get, Problem, query } from '@/api/client'
import type { Page } from '@/api/types'

const PAGE = 50
const ROUNDS = 10

export function usePages<Item>(path: string, filters: () => Record<string, string>) {
  const items = shallowRef<Item[]>([])
  const next = ref<string | null>(null)
  const loading = ref(false)
  const problem = shallowRef<Problem | null>(null)
  let asked = 0

  async function ask(before: string | null): Promise<void> {
    const mine = ++asked
    let kept = before ? items.value : []
    const enough = kept.length + PAGE
    loading.value = true
    problem.value = null
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const page: Page<Item> = await get<Page<Item>>(`${path}${query({ ...filters(), limit: PAGE, before })}`)
        if (mine !== asked) return // a later question is on its way
        items.value = kept = [...kept, ...page.items]
        next.value = before = page.next
        if (!before || kept.length >= enough) return
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (mine === asked) problem.value = error
    } finally {
      if (mine === asked) loading.value = false
    }
  }
  return { items, next, loading, problem, load: () => ask(null), more: () => ask(next.value) }
}
