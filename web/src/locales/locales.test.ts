import { createI18n } from 'vue-i18n'
import { describe, expect, it } from 'vitest'
import en from './en'
import zh from './zh'

type Tree = { [key: string]: string | Tree }
const leaves = (tree: Tree, at = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[at + key, value] as [string, string]] : leaves(value, `${at}${key}.`),
  )
const chinese = new Map(leaves(zh))
const english = new Map(leaves(en))
const sources = import.meta.glob<string>(['/src/**/*.vue', '/src/**/*.ts', '!/src/**/*.test.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
})

describe('the words', () => {
  it('are the same in both languages', () => {
    expect([...english.keys()]).toEqual([...chinese.keys()])
  })
  it('are all there', () => {
    for (const words of [chinese, english]) for (const [key, text] of words) expect(text.trim(), key).not.toBe('')
  })
  it('speak Chinese in one file and no Chinese in the other', () => {
    for (const [key, text] of english) expect(text, key).not.toMatch(/[\u4e00-\u9fff]/)
    for (const [key, text] of chinese) expect(text, key).toMatch(/[\u4e00-\u9fff]|^SIP$/)
  })
  it('have the same blanks', () => {
    const blanks = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
    for (const [key, text] of english) expect(blanks(text), key).toEqual(blanks(chinese.get(key) ?? ''))
  })
  it('exist wherever a page asks for them', () => {
    const asked = new Set<string>()
    for (const text of Object.values(sources)) {
      for (const [, key] of text.matchAll(/\bt\(\s*'([\w.]+)'/g)) asked.add(key ?? '')
      for (const [, key] of text.matchAll(/\? '([a-z_]+\.[\w.]+)' :/g)) asked.add(key ?? '')
    }
    expect(asked.size).toBeGreaterThan(100)
    expect([...asked].filter((key) => !chinese.has(key))).toEqual([])
  })
  it('have a family for every key made at run time', () => {
    const families = new Set<string>()
    for (const text of Object.values(sources)) {
      for (const [, family] of text.matchAll(/\bt\(`([\w.]+?)\.?(?:\w*)\$\{/g)) families.add(family ?? '')
    }
    const groups = new Set([...chinese.keys()].map((key) => key.split('.')[0]))
    expect([...families].filter((family) => !groups.has(family.split('.')[0] ?? ''))).toEqual([])
  })
  it('can be spoken, with plurals', () => {
    const { t, locale } = createI18n({ legacy: false, locale: 'en', messages: { zh, en } }).global
    expect(t('board.more', 1)).toBe('1 more call')
    expect(t('board.more', 3)).toBe('3 more calls')
    locale.value = 'zh'
    expect(t('board.more', 3)).toBe('另有 3 通')
    for (const key of chinese.keys()) expect(t(key, { n: 1 }), key).not.toBe('')
  })
})
