/** Light or dark: as the system says, or as chosen here. */
import { ref, watchEffect } from 'vue'

export type Theme = 'auto' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['auto', 'light', 'dark']

const kept = localStorage.getItem('theme') as Theme | null
export const theme = ref<Theme>(kept && THEMES.includes(kept) ? kept : 'auto')

watchEffect(() => {
  document.documentElement.style.colorScheme = theme.value === 'auto' ? 'light dark' : theme.value
  localStorage.setItem('theme', theme.value)
})

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto'
}
