/** What the codes of the orders' tables are called, in the user's language; fetched once for the page's life. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { once } from '@/api/once'
import type { OrderPerson, OrderWords, Value } from '@/api/orders'
import { serverNow } from '@/clock'
import { dayTime } from '@/format'
import { useWords } from '@/i18n'
import { useReference } from '@/stores/reference'
import { useSession } from '@/stores/session'

export const useOrderWords = defineStore('order-words', () => {
  const all = shallowRef<OrderWords>({ states: [], fields: [], words: [] })
  const { load } = once<OrderWords>('/order-words', (found) => (all.value = found))

  const words = computed(() => new Map(all.value.words.map((word) => [`${word.of}.${word.code}`, word])))
  const states = computed(() => new Map(all.value.states.map((state) => [state.code, state])))
  const fields = computed(() => new Map(all.value.fields.map((field) => [field.name, field])))
  return { all, load, words, states, fields }
})

/** Roles that act for a unit, and only on its orders. */
const UNIT_ROLES: readonly string[] = ['liaison', 'handler', 'unit_leader', 'street']

/** The words of an order's page. `people`: those whose names are known. */
export function useOrderNames(people: () => readonly OrderPerson[]) {
  const { t, zh, named, person } = useWords()
  const store = useOrderWords()
  const reference = useReference()
  const session = useSession()
  const logins = computed(() => new Map(people().map((each) => [each.login, each])))
  const comma = computed(() => (zh.value ? '、' : ', '))

  const word = (of: string, code: string): string => named(store.words.get(`${of}.${code}`), code)
  const state = (code: string): string => named(store.states.get(code), code)
  const label = (name: string): string => named(store.fields.get(name), name)
  const unit = (code: string): string => named(reference.departments.get(code) ?? reference.regions.get(code), code)
  const who = (login: string): string => {
    const found = logins.value.get(login)
    return found ? person(found) : login === 'system' ? t('role.system') : login
  }
  const roles = (all: readonly string[]): string => all.map((role) => t(`role.${role}`)).join(comma.value)
  /** Roles that may do something, those of units with the units whose people they are. */
  function whoMay(all: readonly string[], units: readonly string[]): string {
    const theirs = units.length ? all.filter((role) => UNIT_ROLES.includes(role)) : []
    const centre = all.filter((role) => !theirs.includes(role))
    const ofUnits = theirs.length ? t('orderpage.of_unit', { who: roles(theirs), unit: units.join(comma.value) }) : ''
    return [centre.length ? roles(centre) : '', ofUnits].filter(Boolean).join(comma.value)
  }

  /** What was given with an event, in words. */
  function value(name: string, given: Value): string {
    if (typeof given === 'object') return given.map((each) => value(name, each)).join(comma.value)
    const text = String(given)
    switch (store.fields.get(name)?.kind) {
      case 'unit':
      case 'units':
        return unit(text)
      case 'login':
        return who(text)
      case 'leaf':
        return named(reference.categories.get(text), text)
      case 'region':
        return named(reference.regions.get(text), text)
      case 'choice':
      case 'choices':
        return word(name, text)
      case 'moment':
        return dayTime(text, session.zone, serverNow())
      default:
        return text
    }
  }
  const pair = (name: string, value: string): string => `${name}${zh.value ? '：' : ': '}${value}`
  return { t, named, comma, pair, word, state, label, unit, who, roles, whoMay, value }
}
