/**
 * What is being written (在办表单): the form of the call at hand, and the drafts of calls before it.
 *
 * A form stays through wrap-up and after it. When the next call comes, an unsaved form goes to the drafts.
 */
import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowRef, watch } from 'vue'
import { ask, get, post, Problem } from '@/api/client'
import type { Given } from '@/api/orders'
import type { AskedOfOrder, RepeatedOrder, RepeatedOrders } from '@/api/joins'
import type { CallRecord, Draft, DraftFound, History, ListedDraft, OrderEnd, OrderForm, OrderSaved, Pop } from '@/api/types'
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

/** What becomes of a form in place of a new order: one that it repeats is urged, reopened, or repeated by it. */
export interface Instead {
  way: 'urge' | 'reopen' | 'new'
  code: string
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
    anonymous: false,
    public_danger: false,
    complained_person: '',
    complained_units: [],
    point: null,
  }
}

/** Words are still being typed before that. */
const REPEATS_AFTER_MS = 600

const CONTENT = ['subject', 'description', 'place', 'contact_name', 'category', 'region'] as const

/** A citizen is being called, and no phone of ours has rung yet: it is nobody's call so far, and has no history. */
const isDialled = (call: Subject): boolean =>
  !!call.origin && !call.answered_at && ['dialling', 'greeting', 'waiting', 'ended'].includes(call.state ?? '')

/** Whether somebody wrote something in it. */
export const written = (form: OrderForm): boolean => !!form.point || CONTENT.some((field) => form[field].trim() !== '')

export const useWork = defineStore('work', () => {
  const session = useSession()
  const subject = shallowRef<Subject | null>(null)
  const form = reactive<OrderForm>(emptyForm())
  const loading = ref(false)
  const saveState = shallowRef<SaveState>({ is: 'clean' })
  const order = shallowRef<OrderSaved | null>(null)
  const orderTrouble = shallowRef<Problem | null>(null)
  const ordering = ref<OrderEnd | null>(null)
  /** Orders of the caller's that the form would repeat; what becomes of it, null for another matter. */
  const repeats = shallowRef<readonly RepeatedOrder[]>([])
  const instead = shallowRef<Instead | null>(null)
  const reopenReason = ref('unmet')
  const urged = shallowRef<AskedOfOrder | null>(null)
  const history = shallowRef<History | null>(null)
  const historyTrouble = shallowRef<Problem | null>(null)
  const drafts = ref<DraftNote[]>([])

  let autosave: Autosave | null = null
  let lookingAgain: ReturnType<typeof setTimeout> | undefined
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
      void loadDrafts()
    },
    { immediate: true },
  )

  /** What the service keeps, from whichever browser; beside it what only this browser has, since it was never sent. */
  async function loadDrafts(): Promise<void> {
    const login = session.me?.login
    if (!login || !session.me?.may.includes('write_order')) return
    try {
      const { items } = await get<{ items: ListedDraft[] }>('/drafts')
      if (session.me?.login !== login) return
      const kept = new Set(items.map(({ call_id }) => call_id))
      note((notes) => [
        ...items.map((each) => ({ call: each.call_id, at: each.arrived_at ?? each.saved_at, service: each.service ?? '' })),
        ...notes.filter(({ call }) => !kept.has(call) && (call === subject.value?.id || findCopy(SHELF, call))),
      ])
    } catch (error) {
      if (!(error instanceof Problem)) throw error // the list of this browser stands
    }
  }

  function note(change: (notes: DraftNote[]) => DraftNote[]): void {
    drafts.value = change(drafts.value)
    localStorage.setItem(notesKey(), JSON.stringify(drafts.value))
  }

  function fill(values: OrderForm): void {
    quiet = true
    Object.assign(form, emptyForm(), values) // what an older release kept has fewer fields
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
    forgetRepeats()
    history.value = null
    historyTrouble.value = null
    // A row of the ledger has only a masked number.
    fill(emptyForm(next && !next.number.includes('*') ? next.number : ''))
  }

  /** A call came to the seat, or what is known of it changed. */
  function pop(call: Pop): void {
    if (!session.may('write_order')) return // a visit: nothing is written of it here
    if (subject.value?.id !== call.id) return void begin(call)
    const before = subject.value
    subject.value = call
    if (isDialled(before) && !isDialled(call)) void loadHistory()
    // Whoever was asked about the call has it now.
    const told = before.number.includes('*') && !call.number.includes('*')
    if (told && !form.callback_number) form.callback_number = call.number
  }

  /**
   * What was written for this call: an order, or a draft. A call that only rings has nothing, unless it was written
   * here. When the service is away the form begins from the copy or from nothing; a conflict shows at the first save.
   */
  async function writtenBefore(call: Subject): Promise<{ draft?: Draft; order?: OrderSaved }> {
    const path = `/calls/${encodeURIComponent(call.id)}`
    const noted = drafts.value.some((note) => note.call === call.id)
    if ((call.state === 'ringing' || isDialled(call)) && !noted) return {}
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
    if (!isDialled(call)) void loadHistory()
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

  function forgetRepeats(): void {
    clearTimeout(lookingAgain)
    repeats.value = []
    instead.value = null
    reopenReason.value = 'unmet'
    urged.value = null
  }

  function foundRepeats(found: readonly RepeatedOrder[]): void {
    const known = new Set(repeats.value.map(({ code }) => code))
    // To go on with the order that is there is what is done, unless the person has said otherwise of these very orders.
    const [first] = found
    if (first?.code && found.some(({ code }) => !known.has(code))) instead.value = { way: first.way, code: first.code }
    else if (!found.some(({ code, way }) => code === instead.value?.code && (way === instead.value?.way || way === 'reopen'))) instead.value = null
    repeats.value = found
  }

  /** Whether the caller has asked for this before: asked when the matter is known, and again as its words change. */
  async function lookForRepeats(): Promise<void> {
    const call = subject.value
    if (!call || order.value || loading.value || isDialled(call) || call.state === 'ringing' || !form.category) return
    if (form.confidential || form.anonymous) return foundRepeats([])
    try {
      const found = await post<RepeatedOrders>(`/calls/${encodeURIComponent(call.id)}/repeats`, { form: { ...form } })
      if (subject.value?.id === call.id && !order.value) foundRepeats(found.items)
    } catch (error) {
      if (!(error instanceof Problem)) throw error // saving asks once more
    }
  }
  watch(
    () => [form.category, form.subject, form.description, form.callback_number, form.confidential, form.anonymous],
    () => {
      clearTimeout(lookingAgain)
      if (autosave) lookingAgain = setTimeout(() => void lookForRepeats(), REPEATS_AFTER_MS)
    },
  )

  /** The same person and matter: urge what is there (催办), or reopen it (重新办理). True when the service has it. */
  async function urge(): Promise<boolean> {
    const call = subject.value
    const meant = instead.value
    if (!call || ordering.value || order.value || !meant || meant.way === 'new') return false
    const { way: act, code } = meant
    ordering.value = 'pending_dispatch'
    orderTrouble.value = null
    try {
      const words = [form.subject, form.description].filter((text) => text.trim()).join('\n').slice(0, 2000)
      const body = { code, act, words, key: orderKey, ...(act === 'reopen' && { reopen_reason: reopenReason.value }) }
      const asked = await post<AskedOfOrder>(`/calls/${encodeURIComponent(call.id)}/asks`, body)
      note((notes) => notes.filter((noted) => noted.call !== call.id))
      if (subject.value?.id === call.id) {
        urged.value = asked
        order.value = { code: asked.code, state: asked.state, call_id: call.id, stored: 'database' }
        autosave?.end(true)
        void loadHistory()
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

  /** Save as a work order (工单). True when the service has it. */
  async function save(end: OrderEnd, given: Given = {}): Promise<boolean> {
    const call = subject.value
    if (!call || ordering.value || order.value) return false
    ordering.value = end
    orderTrouble.value = null
    try {
      const saved = await post<OrderSaved>(`/calls/${encodeURIComponent(call.id)}/order`, {
        form: { ...form },
        end,
        given,
        other_than: instead.value?.way === 'urge' ? [] : repeats.value.map(({ code }) => code).filter((code) => code !== instead.value?.code),
        repeats: instead.value?.way === 'new' ? instead.value.code : null,
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
      if (error.code === 'repeat') foundRepeats((error.body as { repeats?: RepeatedOrder[] }).repeats ?? [])
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
    forgetRepeats()
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

  /** Throw a draft away, here and with the service, where an empty form is none. */
  async function discardDraft(id: string): Promise<void> {
    const path = `/calls/${encodeURIComponent(id)}/draft`
    const { draft } = await get<DraftFound>(path)
    if (draft) await ask('PUT', path, { form: emptyForm(), version: draft.version })
    forgetDraft(id)
  }

  function forgetDraft(id: string): void {
    note((notes) => notes.filter(({ call }) => call !== id))
    dropCopy(SHELF, id)
  }

  const settle = (keep: 'mine' | 'newer'): void => {
    if (autosave) fill(autosave.settle(keep, { ...form }))
  }

  addEventListener('pagehide', () => autosave?.leave())

  /** Nobody's call so far. */
  const early = computed(() => subject.value !== null && isDialled(subject.value))

  return {
    subject,
    early,
    form,
    loading,
    saveState,
    order,
    orderTrouble,
    ordering,
    repeats,
    instead,
    reopenReason,
    urged,
    urge,
    history,
    historyTrouble,
    drafts,
    pop,
    put,
    loadHistory,
    save,
    another,
    reopen,
    loadDrafts,
    discardDraft,
    forgetDraft,
    settle,
    retrySave: () => autosave?.flush(),
  }
})
