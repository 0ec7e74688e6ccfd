/** What lists of orders say of codes: a unit is a department or, for districts and streets, a region. */
import { computed } from 'vue'
import { NONE } from '@/format'
import { useWords } from '@/i18n'
import type { Option } from '@/parts/Picker.vue'
import { useUnits } from '@/parts/units'
import { useReference } from '@/stores/reference'

export function useNames() {
  const reference = useReference()
  const { named } = useWords()
  const unit = (code: string | null | undefined, otherwise = NONE) =>
    named(reference.departments.get(code ?? '') ?? reference.regions.get(code ?? ''), code || otherwise)
  const leaf = (code: string) => named(reference.categories.get(code), code || NONE)
  const region = (code: string) => {
    const street = reference.regions.get(code)
    const district = reference.regions.get(street?.parent ?? '')
    return [district && district.level !== 'city' ? named(district) : '', named(street)].filter(Boolean).join(' ')
  }
  const units = useUnits()
  const regions = computed<Option[]>(() =>
    reference.all.regions.map(({ code, zh, en, parent }) => {
      const district = reference.regions.get(parent)
      return { code, zh, en, ...(district && district.level !== 'city' ? { hint: named(district) } : {}) }
    }),
  )
  const leaves = computed<Option[]>(() =>
    reference.all.categories.map(({ code, zh, en, pinyin, keywords, parent }) => {
      const group = reference.categories.get(parent)
      return { code, zh, en, pinyin, keywords, ...(group ? { heading: named(group), group: group.zh } : { hint: '▸' }) }
    }),
  )
  return { reference, named, unit, leaf, region, units, regions, leaves }
}
