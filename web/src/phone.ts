/**
 * The softphone (软电话). One lives above the router, so that changing pages never drops a call.
 *
 * It holds at most one call; a second INVITE meets a busy phone. The sound of a call lives in this tab and nowhere else:
 * when a newer tab takes the seat over, this one stops registering but keeps the call that is up until it ends.
 */
import JsSIP from 'jssip'
import type { RTCSession } from 'jssip/lib/RTCSession'
import type { UAConfiguration, UA } from 'jssip/lib/UA'
import { reactive } from 'vue'
import type { Sip } from './api/types'
import { choose, devices, lookForDevices, measure, microphone, type MicrophoneTrouble, NoMicrophone, ring } from './sound'

/** The phone's line to Asterisk. */
export type Line = 'off' | 'connecting' | 'ready' | 'lost' | 'refused'
export type Talk = 'none' | 'ringing' | 'answering' | 'calling' | 'up'
/** Why the last call did not come about, or ended against our will. */
export type PhoneTrouble = MicrophoneTrouble | 'busy' | 'unavailable' | 'rejected' | 'line' | 'media'

export interface PhoneState {
  line: Line
  talk: Talk
  held: boolean
  muted: boolean
  trouble: PhoneTrouble | null
  /** How loud, 0 to 1. */
  mine: number
  theirs: number
  /** When the talk began (ms since the epoch, this computer's clock). */
  upSince: number | null
}

const IDLE = { talk: 'none', held: false, muted: false, mine: 0, theirs: 0, upSince: null } as const
const NO_ICE_SERVERS: RTCConfiguration = { iceServers: [] }

function troubleOf(cause: string): PhoneTrouble | null {
  const { causes } = JsSIP.C
  switch (cause) {
    case causes.BYE:
    case causes.CANCELED:
      return null
    case causes.BUSY:
      return 'busy'
    case causes.REJECTED:
      return 'rejected'
    case causes.UNAVAILABLE:
    case causes.NOT_FOUND:
    case causes.NO_ANSWER:
      return 'unavailable'
    case causes.USER_DENIED_MEDIA_ACCESS:
      return 'mic_refused'
    case causes.WEBRTC_ERROR:
    case causes.BAD_MEDIA_DESCRIPTION:
    case causes.RTP_TIMEOUT:
      return 'media'
    default:
      return 'line'
  }
}

export class Softphone {
  readonly state: PhoneState = reactive({ line: 'off', trouble: null, ...IDLE })
  private agent: UA | null = null
  private talk: RTCSession | null = null
  private speaker = new Audio()
  private stream: MediaStream | null = null
  private undo: (() => void)[] = []
  private silence: (() => void) | null = null
  private leaving = false
  private host = ''
  /** The call for help beside the citizen's, until the two are connected. */
  private help_: RTCSession | null = null

  /** Come on line. `register`: calls may come in. */
  start(sip: Sip, register: boolean): void {
    this.leaving = false
    if (this.agent && this.talk) {
      // The line comes back to the tab where the sound of a call still is: that call goes on.
      if (register) this.agent.register()
      this.state.line = 'connecting'
      return
    }
    this.stop()
    const configuration: UAConfiguration = {
      sockets: new JsSIP.WebSocketInterface(sip.ws_url),
      uri: sip.uri,
      authorization_user: sip.user,
      password: sip.password,
      register,
      register_expires: 120,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
    }
    this.host = sip.uri.split('@')[1] ?? ''
    const agent = new JsSIP.UA(configuration)
    this.agent = agent
    this.state.line = 'connecting'
    const line = (state: Line) => {
      if (this.agent === agent && !this.leaving) this.state.line = state
    }
    agent.on('connected', () => line(register ? 'connecting' : 'ready'))
    agent.on('disconnected', () => line('lost'))
    agent.on('registered', () => line('ready'))
    agent.on('unregistered', () => line('lost'))
    agent.on('registrationFailed', () => line('refused'))
    agent.on('newRTCSession', ({ session }: { session: RTCSession }) => this.meet(session))
    agent.start()
  }

  private meet(session: RTCSession): void {
    if (session.direction === 'outgoing' && this.talk) return // help's own
    if (this.talk) {
      session.terminate({ status_code: 486 })
      return
    }
    const incoming = session.direction === 'incoming'
    this.talk = session
    Object.assign(this.state, IDLE, { trouble: null, talk: incoming ? 'ringing' : 'calling' })
    if (incoming) {
      this.silence = ring()
      // Ask for the microphone while it rings: an answer then connects at once, and trouble shows before it.
      void this.listen().catch(() => undefined)
    }
    const connected = (connection: RTCPeerConnection) =>
      connection.addEventListener('track', ({ streams, track }) => this.hear(streams[0] ?? new MediaStream([track])))
    if (session.connection) connected(session.connection)
    session.on('peerconnection', ({ peerconnection }) => connected(peerconnection))
    session.on('accepted', () => this.up(session))
    session.on('confirmed', () => this.up(session))
    session.on('hold', () => (this.state.held = true))
    session.on('unhold', () => (this.state.held = false))
    session.on('muted', () => (this.state.muted = true))
    session.on('unmuted', () => (this.state.muted = false))
    session.on('ended', ({ cause }) => this.over(session, cause))
    session.on('failed', ({ cause }) => this.over(session, cause))
  }

  /** The microphone for this call. Throws `NoMicrophone`. */
  private async listen(): Promise<MediaStream> {
    if (this.stream) return this.stream
    try {
      const stream = await microphone(devices.input)
      if (!this.talk && this.state.talk === 'none') {
        for (const track of stream.getTracks()) track.stop()
        return stream
      }
      this.stream = stream
      this.undo.push(measure(stream, (level) => (this.state.mine = this.state.muted ? 0 : level)))
      void lookForDevices()
      return stream
    } catch (error) {
      this.state.trouble = error instanceof NoMicrophone ? error.why : 'mic_busy'
      throw error
    }
  }

  private hear(stream: MediaStream): void {
    this.speaker.srcObject = stream
    this.useSpeaker()
    void this.speaker.play().catch(() => undefined)
    this.undo.push(measure(stream, (level) => (this.state.theirs = level)))
  }

  private useSpeaker(): void {
    if ('setSinkId' in this.speaker) void this.speaker.setSinkId(devices.output).catch(() => undefined)
  }

  private up(session: RTCSession): void {
    if (session !== this.talk || this.state.talk === 'up') return
    this.hush()
    this.state.talk = 'up'
    this.state.upSince = Date.now()
  }

  private hush(): void {
    this.silence?.()
    this.silence = null
  }

  private over(session: RTCSession, cause: string): void {
    if (session !== this.talk) return
    const trouble = this.state.trouble ?? troubleOf(cause)
    this.forget()
    this.state.trouble = trouble
    if (this.leaving) this.stop()
  }

  private forget(): void {
    this.hush()
    this.talk = null
    for (const undo of this.undo.splice(0)) undo()
    for (const track of this.stream?.getTracks() ?? []) track.stop()
    this.stream = null
    this.speaker.srcObject = null
    Object.assign(this.state, IDLE)
  }

  /** Take the call that rings. When there is no microphone it goes on ringing, and `trouble` says why. */
  async answer(): Promise<void> {
    const session = this.talk
    if (!session || this.state.talk !== 'ringing') return
    this.state.talk = 'answering'
    try {
      const mediaStream = await this.listen()
      if (session !== this.talk) return
      this.hush()
      session.answer({ mediaStream, pcConfig: NO_ICE_SERVERS })
    } catch {
      if (session === this.talk) this.state.talk = 'ringing'
    }
  }

  /** Call `number` as `from`, a number that the demo's dialplan takes for the caller's. */
  async call(number: string, host: string, from: string): Promise<void> {
    if (!this.agent || this.talk || this.state.talk !== 'none') return
    this.state.trouble = null
    this.state.talk = 'calling'
    try {
      const mediaStream = await this.listen()
      if (this.state.talk !== 'calling' || !this.agent) return
      this.agent.call(`sip:${number}@${host}`, {
        mediaStream,
        pcConfig: NO_ICE_SERVERS,
        extraHeaders: [`X-Try-Number: ${from.replace(/[^0-9+*#]/g, '')}`],
      })
    } catch (error) {
      const trouble = this.state.trouble ?? (error instanceof NoMicrophone ? error.why : 'line')
      this.forget()
      this.state.trouble = trouble
    }
  }

  /**
   * Without the service: hold the citizen, call `number`, and connect the two when it answers (REFER with Replaces).
   * The dialplan lets a seat's phone call 110, 119, 120 and 122, and nobody else. False when there is no talk here.
   */
  async help(number: string): Promise<boolean> {
    const { agent, talk } = this
    if (!agent || !talk || this.state.talk !== 'up') return false
    if (this.help_) return true
    if (!this.state.held) talk.hold()
    const target = `sip:${number}@${this.host}`
    const session = agent.call(target, { mediaStream: await this.listen(), pcConfig: NO_ICE_SERVERS })
    this.help_ = session
    session.connection?.addEventListener('track', ({ streams, track }) => {
      this.speaker.srcObject = streams[0] ?? new MediaStream([track])
    })
    session.on('confirmed', () => {
      if (talk === this.talk) talk.refer(target, { replaces: session })
    })
    const over = () => {
      this.help_ = null
      if (talk === this.talk && talk.isEstablished()) talk.unhold()
    }
    session.on('failed', over)
    session.on('ended', over)
    return true
  }

  hangUp(): void {
    if (!this.talk) {
      this.forget() // still asking for the microphone
      return
    }
    try {
      this.talk.terminate(this.state.talk === 'ringing' ? { status_code: 486 } : {})
    } catch {
      this.forget() // it ended by itself in this very moment
    }
  }

  hold(): void {
    if (this.state.talk !== 'up' || !this.talk?.isReadyToReOffer()) return
    if (this.state.held) this.talk.unhold()
    else this.talk.hold()
  }

  mute(): void {
    if (this.state.talk !== 'up') return
    if (this.state.muted) this.talk?.unmute({ audio: true })
    else this.talk?.mute({ audio: true })
  }

  press(key: string): void {
    if (this.state.talk === 'up' && /^[0-9*#]$/.test(key)) {
      this.talk?.sendDTMF(key, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833 })
    }
  }

  chooseSpeaker(device: string): void {
    choose('output', device)
    this.useSpeaker()
  }

  /** Change the microphone, in mid-call too. */
  async chooseMicrophone(device: string): Promise<void> {
    choose('input', device)
    const sender = this.talk?.connection?.getSenders().find(({ track }) => track?.kind === 'audio')
    if (!sender || !this.stream) return
    const stream = await microphone(device)
    await sender.replaceTrack(stream.getAudioTracks()[0] ?? null)
    for (const track of this.stream.getTracks()) track.stop()
    this.stream = stream
    for (const track of stream.getAudioTracks()) track.enabled = !this.state.muted
    this.undo.push(measure(stream, (level) => (this.state.mine = this.state.muted ? 0 : level)))
  }

  /** A newer tab has the line: register no more, but let a call that is up end in its own time. */
  giveWay(): void {
    this.leaving = true
    this.state.line = 'off'
    // As if the line had dropped: JsSIP then neither renews its registration nor takes it back, which the newer tab
    // has replaced. (JsSIP's types leave this method out.)
    const registrator = this.agent?.registrator() as unknown as { onTransportClosed(): void } | undefined
    registrator?.onTransportClosed()
    if (!this.talk) this.stop()
  }

  /** The seat was left: take no more calls, but never cut off a citizen. */
  leave(): void {
    if (!this.talk) {
      this.stop()
      return
    }
    this.leaving = true
    this.state.line = 'off'
    this.agent?.unregister()
  }

  stop(): void {
    const agent = this.agent
    this.agent = null
    this.state.line = 'off'
    agent?.stop()
    this.forget()
  }
}
