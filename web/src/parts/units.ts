/** Departments, partners, districts and streets to choose from: whoever can lead an order or help with it (承办单位). */
import { computed, type ComputedRef } from 'vue'
import { useWords } from '@/i18n'
import { useReference } from '@/stores/reference'
import type { Option } from './Picker.vue'

export function useUnits(): ComputedRef<Option[]> {
  const { named } = useWords()
  const reference = useReference()
  return computed(() => [
    ...reference.all.departments,
    ...reference.all.regions
      .filter(({ level }) => level !== 'city')
      .map((region) => {
        const district = reference.regions.get(region.parent)
        const group = district ? `${district.zh} ${district.en}` : ''
        return { ...region, hint: named(district), group }
      }),
  ])
}
