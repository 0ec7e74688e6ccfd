/** A list that is walked with the keyboard: j and k or the arrows, Enter opens, `/` searches. */
import { nextTick, onMounted, onUnmounted, ref } from 'vue'

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && Boolean(target.closest('input, select, textarea, dialog, [role=listbox]'))

/** `count`: of rows; `keys`: further keys by `event.key`. A row is found by `[data-row="n"]`. */
export function useRows(count: () => number, keys: Record<string, (event: KeyboardEvent) => void>) {
  const at = ref(-1)

  function go(to: number): void {
    if (!count()) return
    at.value = Math.max(0, Math.min(count() - 1, to))
    void nextTick(() => {
      const row = document.querySelector<HTMLElement>(`[data-row="${at.value}"]`)
      row?.focus({ preventScroll: true })
      row?.scrollIntoView({ block: 'nearest' })
    })
  }

  function press(event: KeyboardEvent): void {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return
    if (typing(event.target)) return
    const moves: Record<string, () => void> = {
      j: () => go(at.value + 1),
      ArrowDown: () => go(at.value + 1),
      k: () => go(at.value - 1),
      ArrowUp: () => go(at.value - 1),
    }
    const move = moves[event.key] ?? (keys[event.key] ? () => keys[event.key]?.(event) : undefined)
    if (!move) return
    // A key on a button or a link is that one's own.
    if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.closest('button, a')) return
    event.preventDefault()
    move()
  }
  onMounted(() => addEventListener('keydown', press))
  onUnmounted(() => removeEventListener('keydown', press))
  return { at, go }
}

/** Ask again every `seconds`, as long as the page is looked at, and when it is looked at again. */
export function useRefresh(seconds: number, again: () => void): void {
  let timer: ReturnType<typeof setInterval> | undefined
  const look = () => {
    if (!document.hidden) again()
  }
  onMounted(() => {
    timer = setInterval(look, seconds * 1000)
    document.addEventListener('visibilitychange', look)
  })
  onUnmounted(() => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', look)
  })
}
