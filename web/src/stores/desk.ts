/**
 * The desk (坐席台) of the person logged in: the seat, the call, the forms.
 *
 * Commands only ask; the seat moves when the service says so by the live stream.
 */
import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'
import { ask, get, post, Problem } from '@/api/client'
import type { Desk, DeskView, Link, MessageRow, Pop, SeatRow, Sip, SupervisionRow } from '@/api/types'
import { applyDesk, follow, type Live, type LiveState, LOGGED_OUT, TAKEN_OVER } from '@/live'
import { Softphone } from '@/phone'
import { lookForDevices, unlockSound } from '@/sound'
import { useNotices } from './notices'
import { useQuestions } from './questions'
import { useReference } from './reference'
import { useSession } from './session'
import { useWork } from './work'

/** Refusals that are warnings: the agent may insist. */
const LIMITS = ['too_many_away', 'break_used_up']
/** How long a command may go without the seat moving before it is called unanswered. */
const PATIENCE_MS = 5000
/** Help is not waited for. */
const EMERGENCY_PATIENCE_MS = 1000

/** A seat by its number, a line or a queue by its code. */
export interface Target {
  kind: 'seat' | 'line' | 'queue'
  code: string
}

export type Command = 'seat' | 'leave' | 'ready' | 'stay' | 'break' | 'extend' | 'finish' | 'hangup'

export const useDesk = defineStore('desk', () => {
  const session = useSession()
  const work = useWork()
  const notices = useNotices()
  const questions = useQuestions()
  const reference = useReference()
  const phone = new Softphone()

  const loaded = ref(false)
  const seat = shallowRef<SeatRow | null>(null)
  const call = shallowRef<Pop | null>(null)
  const link = shallowRef<Link | null>(null)
  const supervised = shallowRef<SupervisionRow[]>([])
  const mail = shallowRef<MessageRow[]>([])
  const seats = shallowRef<Desk['seats']>([])
  const liveState = ref<LiveState>('connecting')
  const heard = ref<number | null>(null)
  const takenOver = ref(false)
  /** Help is called by this phone itself. */
  const helping = ref(false)
  const pending = ref<Command | null>(null)
  const trouble = shallowRef<Problem | null>(null)
  /** A break that would go beyond a limit, and the warning. */
  const limit = shallowRef<{ code: string; problem: Problem } | null>(null)

  let live: Live | null = null
  let patience: ReturnType<typeof setTimeout> | undefined

  /** Nothing on this page may be believed to be current unless both lines are live. */
  const current = computed(() => liveState.value === 'live' && link.value?.state === 'live' && !takenOver.value)

  function moved(view: DeskView): void {
    const before = seat.value
    const found = view.seat && !before && loaded.value && pending.value !== 'seat'
    seat.value = view.seat
    call.value = view.call
    link.value = view.link
    supervised.value = view.supervised ?? []
    mail.value = view.mail ?? []
    if (before?.state !== view.seat?.state || before?.wrap_up_until !== view.seat?.wrap_up_until || before?.next !== view.seat?.next) pending.value = null
    if (!view.seat && before) phone.leave()
    // The seat is back, after a restart of the service or taken elsewhere: so is its phone.
    if (found && phone.state.line === 'off') void load()
  }

  watch(call, (now, before) => {
    if (now?.id !== before?.id) helping.value = false
    if (now) work.pop(now)
  })

  async function load(): Promise<void> {
    try {
      const desk = await get<Desk>('/desk')
      seats.value = desk.seats
      seat.value = desk.seat
      call.value = desk.call
      loaded.value = true
      trouble.value = null
      if (desk.seat && desk.sip && phone.state.line === 'off') ring(desk.sip)
    } catch (error) {
      if (error instanceof Problem) trouble.value = error
      else throw error
    }
  }

  function ring(sip: Sip): void {
    phone.start(sip, true)
    void lookForDevices()
  }

  /** Sit down at this page: follow the live stream, take the phone up again after a reload. */
  async function open(): Promise<void> {
    if (live) return
    takenOver.value = false
    live = follow<DeskView>('desk', applyDesk, {
      view: moved,
      state(state, since) {
        liveState.value = state
        heard.value = since
      },
      closed(code) {
        live = null
        if (code === TAKEN_OVER) {
          takenOver.value = true
          phone.giveWay()
        } else if (code === LOGGED_OUT) session.forget()
      },
      told(message) {
        if (message.type === 'notices') void notices.load()
        if (message.type === 'question') questions.told()
        if (message.type === 'breaks') void reference.reload()
      },
      refused() {
        void session.begin()
      },
    })
    await load()
  }

  function close(): void {
    live?.stop()
    live = null
    phone.stop()
    loaded.value = false
    seat.value = null
    call.value = null
    takenOver.value = false
    pending.value = null
  }
  watch(
    () => session.me?.login,
    (login) => {
      if (!login) close()
    },
  )

  async function command(name: Command, asking: () => Promise<unknown>): Promise<boolean> {
    trouble.value = null
    pending.value = name
    clearTimeout(patience)
    patience = setTimeout(() => (pending.value = null), PATIENCE_MS)
    try {
      await asking()
      return true
    } catch (error) {
      pending.value = null
      if (!(error instanceof Problem)) throw error
      trouble.value = error
      return false
    }
  }

  async function takeSeat(number: string, kind: 'browser' | 'desk'): Promise<void> {
    unlockSound()
    if (kind === 'browser' && 'Notification' in window && Notification.permission === 'default') {
      void Notification.requestPermission()
    }
    await command('seat', async () => {
      const { sip } = await post<{ seat: string; sip: Sip | null }>('/desk/seat', { number, phone: kind })
      if (sip) ring(sip)
    })
    if (trouble.value?.code === 'seat_taken') await load()
  }

  const leaveSeat = async () => {
    if (await command('leave', () => ask('DELETE', '/desk/seat'))) await load()
  }
  const ready = () => command('ready', () => post('/desk/ready'))
  async function takeBreak(code: string, insist = false): Promise<void> {
    limit.value = null
    if (await command('break', () => post('/desk/break', { code, insist }))) return
    if (trouble.value && LIMITS.includes(trouble.value.code)) {
      limit.value = { code, problem: trouble.value }
      trouble.value = null
    }
  }
  /** Take back what was asked for during the call. */
  const stay = () => command('stay', () => ask('DELETE', '/desk/next'))
  const wrapUp = (act: 'extend' | 'finish') => command(act, () => post('/desk/wrap-up', { act }))

  /** The call's sound is in this tab. */
  const hasSound = computed(() => phone.state.talk !== 'none')

  function hangUp(): void {
    if (hasSound.value) phone.hangUp()
    else void command('hangup', () => post('/desk/hangup'))
  }

  /** Who hears whom: `act` is the last word of the API's path. The call moves when the service says so. */
  async function pass(act: 'consult' | 'transfer' | 'join' | 'complete' | 'back', to?: Target): Promise<void> {
    trouble.value = null
    try {
      await post(`/calls/${call.value?.id}/${act}`, to && { to })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      trouble.value = error
    }
  }

  /** 110, 119, 120 or 122 (紧急转接). When the service says nothing for a second, the phone does it by itself. */
  async function emergency(number: string): Promise<void> {
    trouble.value = null
    try {
      await ask('POST', `/calls/${call.value?.id}/emergency`, { number }, false, EMERGENCY_PATIENCE_MS)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      helping.value = (error.status === 0 || error.status >= 500) && (await phone.help(number))
      if (!helping.value) trouble.value = error
    }
  }

  return {
    phone,
    loaded,
    seat,
    call,
    link,
    supervised,
    mail,
    seats,
    liveState,
    heard,
    takenOver,
    helping,
    pending,
    trouble,
    limit,
    current,
    hasSound,
    open,
    close,
    load,
    retry: () => live?.retry(),
    takeSeat,
    leaveSeat,
    ready,
    takeBreak,
    stay,
    wrapUp,
    hangUp,
    pass,
    emergency,
  }
})
