/** The city's reference data (基础数据): kinds, categories, regions, departments, services, breaks. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { once } from '@/api/once'
import type { Category, Named, Reference, Region, Service } from '@/api/types'

const EMPTY: Reference = {
  kinds: [],
  urgencies: [],
  categories: [],
  regions: [],
  departments: [],
  services: [],
  breaks: [],
  away_share: 1,
  away_least: 1,
}

const byCode = <Thing extends Named>(things: readonly Thing[]) => new Map(things.map((thing) => [thing.code, thing]))

export const useReference = defineStore('reference', () => {
  const all = shallowRef<Reference>(EMPTY)
  const { load, reload } = once<Reference>('/reference', (found) => (all.value = found))

  const kinds = computed(() => byCode(all.value.kinds))
  const urgencies = computed(() => byCode(all.value.urgencies))
  const categories = computed(() => byCode<Category>(all.value.categories))
  const regions = computed(() => byCode<Region>(all.value.regions))
  const departments = computed(() => byCode(all.value.departments))
  const services = computed(() => byCode<Service>(all.value.services))
  const breaks = computed(() => byCode(all.value.breaks))
  /** What an order may be filed under: the leaves, not the classes. */
  const leaves = computed(() => all.value.categories.filter((category) => category.parent))

  return { all, load, reload, kinds, urgencies, categories, leaves, regions, departments, services, breaks }
})
