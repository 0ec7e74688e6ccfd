/**
 * Autosave (自动保存) of the form of one call.
 *
 * A pause of 0.8 s in typing saves, and at most every 2 s while typing goes on, so that a closed browser loses no more
 * than 3 s. Until the service has confirmed, a copy lies in this browser under the call's id. The copy of a
 * confidential form lies in the tab's own storage, which ends with the tab, and not on the disk of a shared computer.
 */
import { Problem } from './api/client'
import type { Draft, DraftSaved, OrderForm } from './api/types'

export const PAUSE_MS = 800
export const LONGEST_MS = 2000
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000]

export type SaveState =
  | { is: 'clean' }
  | { is: 'waiting' }
  | { is: 'saving' }
  | { is: 'saved'; at: string; stored: DraftSaved['stored'] }
  /** Not confirmed by the service; `kept`: a copy lies in this browser. It is tried again by itself. */
  | { is: 'failed'; kept: boolean; problem: Problem }
  /** Another tab or person saved a newer draft. */
  | { is: 'conflict'; newer: Draft }

/** Where copies lie until the service has confirmed. */
export interface Shelf {
  lasting: Storage
  passing: Storage
}

const key = (call: string) => `draft:${call}`

/** Keep a copy; false when the browser refuses. */
export function keepCopy(shelf: Shelf, call: string, form: OrderForm, version: number): boolean {
  dropCopy(shelf, call)
  try {
    const storage = form.confidential ? shelf.passing : shelf.lasting
    storage.setItem(key(call), JSON.stringify({ form, version }))
    return true
  } catch {
    return false
  }
}

export function dropCopy(shelf: Shelf, call: string): void {
  for (const storage of [shelf.lasting, shelf.passing]) {
    try {
      storage.removeItem(key(call))
    } catch {
      // Storage is switched off: there is nothing to remove.
    }
  }
}

/** The copy that the service never confirmed, if there is one. */
export function findCopy(shelf: Shelf, call: string): { form: OrderForm; version: number } | null {
  for (const storage of [shelf.passing, shelf.lasting]) {
    try {
      const text = storage.getItem(key(call))
      if (text) return JSON.parse(text) as { form: OrderForm; version: number }
    } catch {
      // An unreadable copy is no copy.
    }
  }
  return null
}

/** Sends one draft. Throws `Problem`. `lasting`: the page is closing. */
export type Send = (form: OrderForm, version: number, lasting: boolean) => Promise<DraftSaved>

export class Autosave {
  state: SaveState = { is: 'clean' }
  private form: OrderForm | null = null
  private dirtySince: number | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private running: Promise<void> | null = null
  private failures = 0
  private ended = false

  /** `version`: of the draft that the form began from, 0 for none. */
  constructor(
    private readonly call: string,
    public version: number,
    private readonly send: Send,
    private readonly shelf: Shelf,
    private readonly told: (state: SaveState) => void,
  ) {}

  private say(state: SaveState): void {
    this.state = state
    this.told(state)
  }

  /** The form was edited. Takes a copy of it. */
  edited(form: OrderForm): void {
    if (this.ended) return
    this.form = { ...form }
    const kept = keepCopy(this.shelf, this.call, this.form, this.version)
    const now = Date.now()
    this.dirtySince ??= now
    if (this.state.is === 'conflict') return
    if (this.state.is === 'failed') {
      this.say({ ...this.state, kept })
      return // the retry is on its way and will take the newest form
    }
    if (this.running) return
    this.say({ is: 'waiting' })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.save(), Math.min(PAUSE_MS, this.dirtySince + LONGEST_MS - now))
  }

  /** Save now what is not yet saved; resolves when it is confirmed or has failed. */
  async flush(): Promise<void> {
    await this.running
    if (this.form && this.state.is !== 'conflict') await this.save()
  }

  private save(): Promise<void> {
    clearTimeout(this.timer)
    this.running ??= this.once().finally(() => {
      this.running = null
      if (this.form && !this.ended && this.state.is === 'saved') this.edited(this.form)
    })
    return this.running
  }

  private async once(): Promise<void> {
    const form = this.form
    if (!form || this.ended) return
    this.form = null
    this.dirtySince = null
    this.say({ is: 'saving' })
    try {
      const saved = await this.send(form, this.version, false)
      if (this.ended) return
      this.version = saved.version
      this.failures = 0
      if (!this.form) dropCopy(this.shelf, this.call)
      this.say({ is: 'saved', at: saved.saved_at, stored: saved.stored })
    } catch (error) {
      if (this.ended) return
      this.form ??= form
      const problem = error instanceof Problem ? error : new Problem(0, 'unknown', String(error), String(error))
      const newer = problem.code === 'stale_draft' ? (problem.body as { draft?: Draft } | null)?.draft : undefined
      if (newer) {
        this.say({ is: 'conflict', newer })
        return
      }
      this.say({ is: 'failed', kept: keepCopy(this.shelf, this.call, this.form, this.version), problem })
      const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]
      this.timer = setTimeout(() => void this.save(), wait)
    }
  }

  /** After a conflict: save mine over the newer one, or take the newer one. Returns the form to show. */
  settle(keep: 'mine' | 'newer', mine: OrderForm): OrderForm {
    if (this.state.is !== 'conflict') return mine
    const { newer } = this.state
    this.version = newer.version
    this.state = { is: 'clean' }
    if (keep === 'mine') {
      this.edited(mine)
      return mine
    }
    this.form = null
    this.dirtySince = null
    dropCopy(this.shelf, this.call)
    this.say({ is: 'saved', at: newer.saved_at, stored: 'database' })
    return { ...newer.form }
  }

  /** The page is closing: send without waiting. */
  leave(): void {
    const form = this.form
    if (form && !this.ended) void this.send(form, this.version, true).catch(() => undefined)
  }

  /** Nothing more is saved. `done`: the form became a work order, so its copy goes. */
  end(done: boolean): void {
    this.ended = true
    clearTimeout(this.timer)
    if (done) dropCopy(this.shelf, this.call)
  }
}
