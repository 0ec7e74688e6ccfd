/** A list that comes in pages: the first on every change of its filters, more on demand. */
import { ref, shallowRef } from 'vue'
import { get, Problem, query } from '@/api/client'
import type { Page } from '@/api/types'

export function usePages<Item>(path: string, filters: () => Record<string, string>) {
  const items = shallowRef<Item[]>([])
  const next = ref<string | null>(null)
  const loading = ref(false)
  const problem = shallowRef<Problem | null>(null)
  let asked = 0

  async function ask(before: string | null): Promise<void> {
    const mine = ++asked
    loading.value = true
    problem.value = null
    try {
      const page = await get<Page<Item>>(`${path}${query({ ...filters(), limit: 50, before })}`)
      if (mine !== asked) return // a later question is on its way
      items.value = before ? [...items.value, ...page.items] : page.items
      next.value = page.next
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (mine === asked) problem.value = error
    } finally {
      if (mine === asked) loading.value = false
    }
  }
  return { items, next, loading, problem, load: () => ask(null), more: () => ask(next.value) }
}
