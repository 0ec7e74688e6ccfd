/** A list in pages with the row that is open beside it, named by the address: calls, orders. */
import { computed, onMounted, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { get, Problem } from '@/api/client'
import { useReference } from '@/stores/reference'
import { usePages } from './pages'

/**
 * `path`: of the list in the API and of its page, the row's name after it. `param`: that name in the page's route.
 * `chosen`: the filters that ask anew at once; those that are typed ask when they are left.
 */
export function useLedger<Row, Detail>(
  path: string,
  param: string,
  filters: Record<string, string>,
  chosen: () => readonly string[],
) {
  const route = useRoute()
  const router = useRouter()
  const reference = useReference()
  const pages = usePages<Row>(path, () => filters)

  const open = computed(() => {
    const name = route.params[param]
    return typeof name === 'string' ? name : ''
  })
  const detail = shallowRef<Detail | null>(null)
  const detailProblem = shallowRef<Problem | null>(null)
  const detailLoading = ref(false)
  const address = (name: string) => `${path}/${encodeURIComponent(name)}`

  async function loadDetail(): Promise<void> {
    const name = open.value
    detail.value = null
    detailProblem.value = null
    if (!name) return
    detailLoading.value = true
    try {
      const found = await get<Detail>(address(name))
      if (name === open.value) detail.value = found // another one was opened meanwhile
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (name === open.value) detailProblem.value = error
    } finally {
      if (name === open.value) detailLoading.value = false
    }
  }

  onMounted(() => {
    void reference.load().catch(() => undefined)
    void pages.load()
  })
  watch(chosen, pages.load)
  watch(open, loadDetail, { immediate: true })

  const show = (name: string) => void router.push(address(name))
  return { ...pages, open, detail, detailProblem, detailLoading, loadDetail, show }
}
