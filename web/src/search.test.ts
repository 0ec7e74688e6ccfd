import { describe, expect, it } from 'vitest'
import { find } from './search'

const ITEMS = [
  { code: '0101', zh: '占道经营', en: 'Street stalls blocking the way', pinyin: 'zhan dao jing ying', keywords: '商贩 摆摊 烧烤', group: '城市管理 City management' },
  { code: '0102', zh: '市容环境卫生', en: 'Street cleanliness, rubbish', pinyin: 'shi rong huan jing wei sheng', keywords: '垃圾 清运 卫生', group: '城市管理 City management' },
  { code: '0105', zh: '路灯照明', en: 'Street lighting', pinyin: 'lu deng zhao ming', keywords: '路灯 不亮 灯杆', group: '城市管理 City management' },
  { code: '0601', zh: '户口迁移', en: 'Household registration transfer', pinyin: 'hu kou qian yi', keywords: '户籍 落户', group: '公安 Public security' },
  { code: '0701', zh: '医疗保险', en: 'Medical insurance', pinyin: 'yi liao bao xian', keywords: '医保', group: '社会保障 Social security' },
]
const found = (text: string) => find(ITEMS, text).map(({ code }) => code)

describe('finding a category', () => {
  it('by Chinese, whole or in part', () => {
    expect(found('占道经营')).toEqual(['0101'])
    expect(found('环境')).toEqual(['0102'])
  })
  it('by pinyin, whole, begun, from the middle, with marks between', () => {
    expect(found('zhandaojingying')).toEqual(['0101'])
    expect(found('zhandao')[0]).toBe('0101')
    expect(found('huankou')).toEqual([])
    expect(found('jingying')).toEqual(['0101'])
    expect(found("hu'kou")).toEqual(['0601'])
    expect(found('hukou')).toEqual(['0601'])
  })
  it('by initials, and by a mix of both', () => {
    expect(found('zdjy')).toEqual(['0101'])
    expect(found('ldzm')).toEqual(['0105'])
    expect(found('hkqy')).toEqual(['0601'])
    expect(found('ludengzm')).toEqual(['0105'])
    expect(found('ylbx')).toEqual(['0701'])
  })
  it('by English, the beginning of any word', () => {
    expect(found('lighting')).toEqual(['0105'])
    expect(found('street')).toEqual(['0101', '0102', '0105'])
    expect(found('medical')).toEqual(['0701'])
    expect(found('street rubb')).toEqual(['0102'])
  })
  it('by keyword, code and the name of the class', () => {
    expect(found('烧烤')).toEqual(['0101'])
    expect(found('落户')).toEqual(['0601'])
    expect(found('0601')).toEqual(['0601'])
    expect(found('01')).toEqual(['0101', '0102', '0105'])
    expect(found('公安')).toEqual(['0601'])
  })
  it('best first: a name that begins so before one that has it inside', () => {
    expect(find([{ code: '2', zh: '公共路灯', en: '' }, { code: '1', zh: '路灯照明', en: '' }], '路灯').map(({ code }) => code)).toEqual(['1', '2'])
  })
  it('everything without a word, nothing for nonsense', () => {
    expect(found('  ')).toHaveLength(5)
    expect(found('qqqq')).toEqual([])
    expect(found('(.*')).toEqual([])
  })
})
