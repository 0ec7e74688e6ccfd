/** What the form asks for before it bothers the service, whose word is the last. */
import type { Category, Kind, OrderEnd, OrderForm } from '@/api/types'

/** Kinds whose matter must go on to somebody: complaint, report, help, suggestion, criticism (domain.md R6). */
export const mayBeAnswered = (kind: Kind | undefined): boolean => !kind?.mode.startsWith('work_order')

/** Reports and matters flagged S are confidential unless the person says otherwise (GB/T 33358-2016, R26). */
export const mustBeSecret = (kind: string, category: Category | undefined): boolean =>
  kind === 'report' || (category?.flags.split(' ').includes('S') ?? false)

/** Ends that ask for nothing but the form; support staff find out the category. */
const FORM_ENDS: readonly OrderEnd[] = ['answered', 'investigating', 'pending_dispatch']

export type Fault = 'needs_category' | 'needs_subject' | 'needs_description' | 'bad_number'

export function faults(form: OrderForm, end: OrderEnd): Partial<Record<keyof OrderForm, Fault>> {
  const found: Partial<Record<keyof OrderForm, Fault>> = {}
  if (!form.category && FORM_ENDS.includes(end) && end !== 'investigating') found.category = 'needs_category'
  if (!form.subject.trim()) found.subject = 'needs_subject'
  if (['investigating', 'pending_dispatch'].includes(end) && !form.description.trim()) found.description = 'needs_description'
  if (form.callback_number && !/^[+0-9*#-]+$/.test(form.callback_number)) found.callback_number = 'bad_number'
  return found
}
