/**
 * What is being written (在办表单): the form of the call at hand, and the drafts of calls before it.
 *
 * A form stays through wrap-up and after it. When the next call comes, an unsaved form goes to the drafts.
 */
import { defineStore } from 'pinia'
import { reactive, ref, shallowRef, watch } from 'vue'
import { ask, get, post, Problem } from '@/api/client'
import type { CallRecord, Draft, DraftFound, History, OrderEnd, OrderForm, OrderSaved, Pop } from '@/api/types'
import { Autosave, dropCopy, findCopy, type SaveState, type Shelf } from '@/autosave'
import { useSession } from './session'

const SHELF: Shelf = { lasting: localStorage, passing: sessionStorage }

/** The call that a form belongs to: live from the screen-pop, or a row of the ledger for a draft opened again. */
export type Subject = Pick<
  Pop,
  'id' | 'number' | 'dialed' | 'service' | 'language' | 'menu' | 'arrived_at' | 'queued_at' | 'answered_at' | 'late'
> &
  Partial<Pop>

/** A draft in the list: no word of what was said, for the list lies in this browser. */
export interface DraftNote {
  call: string
  at: string
  service: string
}

export function emptyForm(callback = ''): OrderForm {
  return {
    kind: 'consult',
    category: '',
    urgency: 'U3',
    subject: '',
    description: '',
    place: '',
    region: '',
    contact_name: '',
    callback_number: callback,
    confidential: false,
  }
}

const CONTENT = ['subject', 'description', 'place', 'contact_name', 'category', 'region'] as const

/** Whether somebody wrote something in it. */
export const written = (form: OrderForm): boolean => CONTENT.some((field) => form[field].trim() !== '')

export const useWork = defineStore('work', () => {
  const session = useSession()
  const subject = shallowRef<Subject | null>(null)
  const form = reactive<OrderForm>(emptyForm())
  const loading = ref(false)
  const saveState = shallowRef<SaveState>({ is: 'clean' })
  const order = shallowRef<OrderSaved | null>(null)
  const orderTrouble = shallowRef<Problem | null>(null)
  const ordering = ref<OrderEnd | null>(null)
  const history = shallowRef<History | null>(null)
  const historyTrouble = shallowRef<Problem | null>(null)
  const drafts = ref<DraftNote[]>([])

  let autosave: Autosave | null = null
  /** Names this order for the service, so that sending twice saves once. */
  let orderKey = ''
  /** Changes made by the program are not the person's. */
  let quiet = false

  const notesKey = () => `drafts:${session.me?.login ?? ''}`
  watch(
    () => session.me?.login,
    () => {
      put(null)
      try {
        drafts.value = JSON.parse(localStorage.getItem(notesKey()) ?? '[]') as DraftNote[]
      } catch {
        drafts.value = []
      }
    },
    { immediate: true },
  )

  function note(change: (notes: DraftNote[]) => DraftNote[]): void {
    drafts.value = change(drafts.value)
    localStorage.setItem(notesKey(), JSON.stringify(drafts.value))
  }

  function fill(values: OrderForm): void {
    quiet = true
    Object.assign(form, values)
    quiet = false
  }

  watch(
    form,
    () => {
      if (quiet || loading.value || order.value) return
      orderTrouble.value = null
      if (!autosave) return
      noteDraft()
      autosave.edited({ ...form })
    },
    { flush: 'sync' },
  )

  /** From the first word on: a browser that is closed finds the draft in its list again. */
  function noteDraft(): void {
    const call = subject.value
    if (!call || drafts.value.some((noted) => noted.call === call.id)) return
    note((notes) => [{ call: call.id, at: call.arrived_at, service: call.service }, ...notes].slice(0, 50))
  }

  const send = (call: string) => (draft: OrderForm, version: number, lasting: boolean) =>
    ask<{ version: number; saved_at: string; stored: 'database' | 'journal' }>(
      'PUT',
      `/calls/${encodeURIComponent(call)}/draft`,
      { form: draft, version },
      lasting,
    )

  /** Put the work on the desk away; an unsaved form stays among the drafts. */
  function put(next: Subject | null): void {
    const before = subject.value
    const saver = autosave
    if (before && saver) {
      if (!order.value && !written(form)) forgetDraft(before.id)
      void saver.flush().finally(() => saver.end(false))
    }
    autosave = null
    subject.value = next
    saveState.value = { is: 'clean' }
    order.value = null
    orderTrouble.value = null
    history.value = null
    historyTrouble.value = null
    // A row of the ledger has only a masked number.
    fill(emptyForm(next && !next.number.includes('*') ? next.number : ''))
  }

  /** A call came to the seat, or what is known of it changed. */
  function pop(call: Pop): void {
    if (subject.value?.id === call.id) subject.value = call
    else void begin(call)
  }

  /**
   * What was written for this call: an order, or a draft. A call that only rings has nothing, unless it was written
   * here. When the service is away the form begins from the copy or from nothing; a conflict shows at the first save.
   */
  async function writtenBefore(call: Subject): Promise<{ draft?: Draft; order?: OrderSaved }> {
    const path = `/calls/${encodeURIComponent(call.id)}`
    const noted = drafts.value.some((note) => note.call === call.id)
    if (call.state === 'ringing' && !noted) return {}
    try {
      if (!noted) {
        const { order: saved } = await get<CallRecord>(path)
        if (saved) return { order: { ...saved, call_id: call.id, stored: saved.code ? 'database' : 'journal' } }
      }
      const { draft } = await get<DraftFound>(`${path}/draft`)
      return draft ? { draft } : {}
    } catch {
      return {}
    }
  }

  async function begin(call: Subject): Promise<void> {
    put(call)
    orderKey = crypto.randomUUID()
    loading.value = true
    void loadHistory()
    const before = await writtenBefore(call)
    if (subject.value?.id !== call.id) return
    if (before.order) {
      order.value = before.order
      loading.value = false
      return
    }
    const version = before.draft?.version ?? 0
    if (before.draft) saveState.value = { is: 'saved', at: before.draft.saved_at, stored: 'database' }
    const mine = new Autosave(call.id, version, send(call.id), SHELF, (state) => {
      if (autosave === mine) saveState.value = state
    })
    autosave = mine
    const copy = findCopy(SHELF, call.id)
    if (before.draft) fill(before.draft.form)
    // The copy lies there only because the service never confirmed it; it counts when it follows the stored draft.
    if (copy && copy.version >= version) fill(copy.form)
    else if (copy) dropCopy(SHELF, call.id)
    loading.value = false
    if (copy && copy.version >= version) mine.edited({ ...form })
  }

  async function loadHistory(): Promise<void> {
    const id = subject.value?.id
    if (!id) return
    historyTrouble.value = null
    try {
      const found = await get<History>(`/calls/${encodeURIComponent(id)}/history`)
      if (subject.value?.id === id) history.value = found
    } catch (error) {
      if (error instanceof Problem && subject.value?.id === id) historyTrouble.value = error
    }
  }

  /** Save as a work order (工单). True when the service has it. */
  async function save(end: OrderEnd): Promise<boolean> {
    const call = subject.value
    if (!call || ordering.value || order.value) return false
    ordering.value = end
    orderTrouble.value = null
    try {
      const saved = await post<OrderSaved>(`/calls/${encodeURIComponent(call.id)}/order`, {
        form: { ...form },
        end,
        key: orderKey,
      })
      note((notes) => notes.filter((noted) => noted.call !== call.id))
      if (subject.value?.id === call.id) {
        order.value = saved
        autosave?.end(true)
      }
      return true
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      orderTrouble.value = error
      return false
    } finally {
      ordering.value = null
    }
  }

  /** One call, a further matter (一次来电多件诉求): an empty form with its own order to come. */
  function another(): void {
    const call = subject.value
    if (!call || !order.value) return
    const { region, contact_name, callback_number } = form
    order.value = null
    orderKey = crypto.randomUUID()
    saveState.value = { is: 'clean' }
    fill({ ...emptyForm(callback_number), region, contact_name })
    const mine = new Autosave(call.id, 0, send(call.id), SHELF, (state) => {
      if (autosave === mine) saveState.value = state
    })
    autosave = mine
  }

  /** Open a draft of an earlier call. Throws `Problem`. */
  async function reopen(id: string): Promise<void> {
    const call = await get<CallRecord>(`/calls/${encodeURIComponent(id)}`)
    await begin({ ...call, late: false })
  }

  /** Throw away the note of a draft; the draft itself stays with the service. */
  function forgetDraft(id: string): void {
    note((notes) => notes.filter(({ call }) => call !== id))
    dropCopy(SHELF, id)
  }

  const settle = (keep: 'mine' | 'newer'): void => {
    if (autosave) fill(autosave.settle(keep, { ...form }))
  }

  addEventListener('pagehide', () => autosave?.leave())

  return {
    subject,
    form,
    loading,
    saveState,
    order,
    orderTrouble,
    ordering,
    history,
    historyTrouble,
    drafts,
    pop,
    put,
    loadHistory,
    save,
    another,
    reopen,
    forgetDraft,
    settle,
    retrySave: () => autosave?.flush(),
  }
})
