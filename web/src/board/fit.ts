/** How many whole children fit into a list: a wall shows no half row. */
import { onMounted, onUnmounted, onUpdated, ref, type Ref } from 'vue'

/** Cells of a grid list, from its own height and its first child's; `most` until it is measured. */
export function useFit(list: Readonly<Ref<HTMLElement | null>>, most: number): Readonly<Ref<number>> {
  const cells = ref(most)
  let seen: HTMLElement | null = null

  function measure(): void {
    const element = list.value
    const child = element?.firstElementChild
    if (!element || !child) return
    const style = getComputedStyle(element)
    const gap = Number.parseFloat(style.rowGap) || 0
    const columns = style.gridTemplateColumns.split(' ').length
    const rows = Math.floor((element.clientHeight + gap + 1) / (child.getBoundingClientRect().height + gap))
    cells.value = Math.min(most, Math.max(1, rows) * columns)
  }
  const observer = new ResizeObserver(measure)
  function watchList(): void {
    if (list.value === seen) return
    observer.disconnect()
    seen = list.value
    if (seen) observer.observe(seen)
    measure()
  }
  onMounted(watchList)
  onUpdated(watchList)
  onUnmounted(() => observer.disconnect())
  return cells
}
