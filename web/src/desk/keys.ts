/** Keys of the desk (快捷键): one table for the handler, the tooltips and the help. */
import { onMounted, onUnmounted } from 'vue'

export const KEYS = {
  answer: 'Alt+A',
  hold: 'Alt+H',
  mute: 'Alt+M',
  hangup: 'Alt+X',
  ready: 'Alt+R',
  break: 'Alt+B',
  extend: 'Alt+E',
  transfer: 'Alt+T',
  join: 'Alt+J',
  complete: 'Alt+K',
  back: 'Alt+G',
  emergency110: 'Alt+1',
  emergency119: 'Alt+2',
  emergency120: 'Alt+3',
  emergency122: 'Alt+4',
  form: 'Alt+W',
  category: 'Alt+C',
  answered: 'Ctrl+S',
  support: 'Alt+I',
  dispatch: 'Ctrl+Enter',
} as const
export type Key = keyof typeof KEYS

/** Which command a key press is. By the place of the key, so that a Chinese input method changes nothing. */
export function command(
  event: Pick<KeyboardEvent, 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'code'>,
): Key | null {
  if (event.shiftKey) return null
  const ctrl = event.ctrlKey || event.metaKey
  if (event.altKey === ctrl) return null
  const pressed = `${event.altKey ? 'Alt' : 'Ctrl'}+${event.code.replace(/^(Key|Digit)/, '')}`
  const entry = Object.entries(KEYS).find(([, keys]) => keys === pressed)
  return entry ? (entry[0] as Key) : null
}

export function useKeys(run: (key: Key) => void): void {
  function press(event: KeyboardEvent): void {
    const key = command(event)
    if (!key) return
    event.preventDefault()
    run(key)
  }
  onMounted(() => addEventListener('keydown', press))
  onUnmounted(() => removeEventListener('keydown', press))
}
