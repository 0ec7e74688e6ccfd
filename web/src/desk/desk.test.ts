import { describe, expect, it } from 'vitest'
import type { Category, Kind } from '@/api/types'
import { command } from './keys'
import { faults, mayBeAnswered, mustBeSecret } from './rules'

const kind = (mode: string): Kind => ({ code: 'x', zh: '', en: '', mode })
const form = {
  kind: 'consult',
  category: '0101',
  urgency: 'U3',
  subject: '路灯不亮',
  description: '',
  place: '',
  region: '',
  contact_name: '',
  callback_number: '13800001234',
  confidential: false,
  anonymous: false,
  public_danger: false,
  complained_person: '',
  complained_units: [],
  point: null,
}

describe('what the form asks for', () => {
  it('lets inquiries be answered at once, and complaints not', () => {
    expect(['answer_now', 'connect_window', 'record'].map((mode) => mayBeAnswered(kind(mode)))).toEqual([true, true, true])
    expect(['work_order', 'work_order_confidential'].map((mode) => mayBeAnswered(kind(mode)))).toEqual([false, false])
  })
  it('wants a category and a subject; for dispatch a description too', () => {
    expect(faults(form, 'answered')).toEqual({})
    expect(faults(form, 'pending_dispatch')).toEqual({ description: 'needs_description' })
    expect(faults({ ...form, category: '', description: '不清楚' }, 'investigating')).toEqual({})
    expect(faults({ ...form, category: '', subject: '' }, 'not_accepted')).toEqual({ subject: 'needs_subject' })
    expect(faults({ ...form, category: '', subject: ' ' }, 'answered')).toEqual({
      category: 'needs_category',
      subject: 'needs_subject',
    })
  })
  it('takes numbers only', () => {
    expect(faults({ ...form, callback_number: '0755-8800#12' }, 'answered')).toEqual({})
    expect(faults({ ...form, callback_number: 'call me' }, 'answered')).toEqual({ callback_number: 'bad_number' })
  })
  it('keeps reports and sensitive matters confidential', () => {
    const leaf = (flags: string) => ({ flags }) as Category
    expect(mustBeSecret('report', undefined)).toBe(true)
    expect(mustBeSecret('complaint', leaf('E S'))).toBe(true)
    expect(mustBeSecret('complaint', leaf('E'))).toBe(false)
  })
})

describe('keys', () => {
  const press = (code: string, keys: object) =>
    command({ altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, code, ...keys })
  it('are found by their place, whatever the input method', () => {
    expect(press('KeyA', { altKey: true })).toBe('answer')
    expect(press('KeyS', { ctrlKey: true })).toBe('answered')
    expect(press('Enter', { metaKey: true })).toBe('dispatch')
  })
  it('leave typing alone', () => {
    expect(press('KeyA', {})).toBeNull()
    expect(press('KeyA', { ctrlKey: true })).toBeNull()
    expect(press('KeyA', { altKey: true, ctrlKey: true })).toBeNull() // AltGr
    expect(press('KeyS', { ctrlKey: true, shiftKey: true })).toBeNull()
  })
})
