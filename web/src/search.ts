/** Finding a category or a region by Chinese, pinyin, initials, English or keyword. */

/** `pinyin`: syllables with spaces, without tones. */
export interface Findable {
  code: string
  zh: string
  en: string
  pinyin?: string
  keywords?: string
  /** Words of the group above; a hit there counts least. */
  group?: string
}

/**
 * Whether `letters` is typed pinyin of `syllables` from the first on: whole syllables, their beginnings or any mix,
 * so that `zhandao`, `zddj` and `zhandj` all find 占道经营 or its like.
 */
function types(letters: string, syllables: readonly string[], at: number): boolean {
  if (!letters) return true
  const syllable = syllables[at]
  if (syllable === undefined || syllable[0] !== letters[0]) return false
  let shared = 1
  while (shared < letters.length && shared < syllable.length && letters[shared] === syllable[shared]) shared++
  for (let taken = shared; taken >= 1; taken--) if (types(letters.slice(taken), syllables, at + 1)) return true
  return false
}

/** How well one word fits: 0 is best, Infinity not at all. */
function fit(word: string, item: Findable): number {
  const zh = item.zh.toLowerCase()
  if (zh === word || item.code === word) return 0
  if (zh.startsWith(word)) return 1
  if (zh.includes(word)) return 2
  const en = item.en.toLowerCase()
  if (/^[a-z]+$/.test(word)) {
    const syllables = (item.pinyin ?? '').toLowerCase().split(/\s+/).filter(Boolean)
    if (word.length > 1 && types(word, syllables, 0)) return 1.5
    if (en.startsWith(word)) return 1.6
    if (en.split(/[^a-z]+/).some((part) => part.startsWith(word))) return 2.2
    if (word.length > 1 && syllables.some((_, at) => at > 0 && types(word, syllables, at))) return 2.5
    if (word.length === 1 && syllables[0]?.startsWith(word)) return 2.6
    if (word.length > 2 && en.includes(word)) return 3
  }
  if ((item.keywords ?? '').toLowerCase().includes(word)) return 3.2
  if (/^\d+$/.test(word) && item.code.startsWith(word)) return 1
  if ((item.group ?? '').toLowerCase().includes(word)) return 4
  return Infinity
}

/** The items that fit every word of `text`, best first, ties in their own order; all of them when there is no word. */
export function find<Item extends Findable>(items: readonly Item[], text: string): Item[] {
  const words = text.toLowerCase().replaceAll("'", ' ').split(/\s+/).filter(Boolean)
  return items
    .map((item, order) => ({ item, order, score: words.reduce((sum, word) => sum + fit(word, item), 0) }))
    .filter(({ score }) => score !== Infinity)
    .sort((a, b) => a.score - b.score || a.order - b.order)
    .map(({ item }) => item)
}
