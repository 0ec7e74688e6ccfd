/** Clocks that count on the screen: two tickers for the whole page, in the service's time. */
import { getCurrentInstance, onUnmounted, shallowReadonly, shallowRef, type ShallowRef } from 'vue'

let ahead = 0

/** The service's clock, in milliseconds since the epoch. */
export const serverNow = (): number => Date.now() + ahead

/**
 * Learn the service's clock from a time it just told. A message is always a little late, so a time that seems
 * later than known is right at once; one that seems earlier by less than 2 s is only a slow network.
 */
export function learnClock(told: string, received = Date.now()): void {
  const seen = Date.parse(told) - received
  if (!Number.isFinite(seen)) return
  if (seen > ahead || ahead - seen > 2000) ahead = seen
}

interface Ticker {
  now: ShallowRef<number>
  users: number
  timer: ReturnType<typeof setInterval> | undefined
}
const tickers = new Map<number, Ticker>()

/** A ref that holds `serverNow()`, renewed every `every` ms for as long as the component lives. */
export function useNow(every: 200 | 1000 = 1000): Readonly<ShallowRef<number>> {
  let ticker = tickers.get(every)
  if (!ticker) tickers.set(every, (ticker = { now: shallowRef(serverNow()), users: 0, timer: undefined }))
  const mine = ticker
  if (mine.users++ === 0) {
    mine.now.value = serverNow()
    mine.timer = setInterval(() => (mine.now.value = serverNow()), every)
  }
  if (getCurrentInstance()) {
    onUnmounted(() => {
      if (--mine.users === 0) clearInterval(mine.timer)
    })
  }
  return shallowReadonly(mine.now)
}
