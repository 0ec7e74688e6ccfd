/** The city's reference data (基础数据): kinds, categories, regions, departments, services, breaks. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { get } from '@/api/client'
import type { Category, Named, Reference, Region, Service } from '@/api/types'

const EMPTY: Reference = {
  kinds: [],
  urgencies: [],
  categories: [],
  regions: [],
  departments: [],
  services: [],
  breaks: [],
}

const byCode = <Thing extends Named>(things: readonly Thing[]) => new Map(things.map((thing) => [thing.code, thing]))

export const useReference = defineStore('reference', () => {
  const all = shallowRef<Reference>(EMPTY)
  let asking: Promise<void> | null = null

  /** Fetched once for the page's life. Throws `Problem`; the next call asks again. */
  function load(): Promise<void> {
    asking ??= get<Reference>('/reference').then(
      (found) => {
        all.value = found
      },
      (error: unknown) => {
        asking = null
        throw error
      },
    )
    return asking
  }

  const kinds = computed(() => byCode(all.value.kinds))
  const urgencies = computed(() => byCode(all.value.urgencies))
  const categories = computed(() => byCode<Category>(all.value.categories))
  const regions = computed(() => byCode<Region>(all.value.regions))
  const departments = computed(() => byCode(all.value.departments))
  const services = computed(() => byCode<Service>(all.value.services))
  const breaks = computed(() => byCode(all.value.breaks))
  /** What an order may be filed under: the leaves, not the classes. */
  const leaves = computed(() => all.value.categories.filter((category) => category.parent))

  return { all, load, kinds, urgencies, categories, leaves, regions, departments, services, breaks }
})
