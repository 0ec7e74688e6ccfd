/** Reckoning with the sound of a call: where a place in it is drawn, and where listening begins. */

/** Loudness of one side as the outline of a shape: half of it above `middle`, half below, `width` wide. */
export function outline(peaks: readonly number[], width: number, middle: number, height: number): string {
  if (!peaks.length) return ''
  const step = width / peaks.length
  const half = (peak: number) => Math.max(0.4, (Math.min(127, peak) / 127) ** 2 * (height / 2))
  const above = peaks.map((peak, n) => `${(n * step).toFixed(1)} ${(middle - half(peak)).toFixed(1)}`)
  const below = peaks.map((peak, n) => `${(n * step).toFixed(1)} ${(middle + half(peak)).toFixed(1)}`).reverse()
  return `M${above.join('L')}L${below.join('L')}Z`
}

/** Seconds from the start of the sound to a moment, kept within it. */
export function placeOf(at: string | null, recordedAt: string, lengthMs: number): number {
  if (!at) return 0
  return Math.min(Math.max(0, Date.parse(at) - Date.parse(recordedAt)), lengthMs) / 1000
}

/** Where a key leads from `now`, in seconds; null when it leads nowhere. */
export function seekBy(key: string, now: number, length: number): number | null {
  const to: Record<string, number> = {
    ArrowLeft: now - 5,
    ArrowRight: now + 5,
    PageDown: now - 30,
    PageUp: now + 30,
    Home: 0,
    End: length,
  }
  const place = to[key]
  return place === undefined ? null : Math.min(Math.max(0, place), length)
}
