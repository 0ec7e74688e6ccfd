import { computed } from 'vue'
import { createI18n, useI18n } from 'vue-i18n'
import type { Language } from './api/types'
import en from './locales/en'
import zh from './locales/zh'

const kept = localStorage.getItem('language')

export const i18n = createI18n({
  legacy: false,
  locale: kept === 'en' || kept === 'zh' ? kept : 'zh',
  fallbackLocale: 'zh',
  messages: { zh, en },
})

export function speak(language: Language): void {
  i18n.global.locale.value = language
  localStorage.setItem('language', language)
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
}
speak(i18n.global.locale.value as Language)

/** `t`, the language, and the name of a thing in it. */
export function useWords() {
  const { t, locale } = useI18n()
  const zh = computed(() => locale.value === 'zh')
  const named = (thing: { zh: string; en: string } | null | undefined, otherwise = ''): string =>
    thing ? (zh.value ? thing.zh || thing.en : thing.en || thing.zh) : otherwise
  const person = (who: { name_zh: string | null; name_en: string | null; login: string | null }): string =>
    (zh.value ? who.name_zh || who.name_en : who.name_en || who.name_zh) || who.login || ''
  return { t, zh, named, person }
}
