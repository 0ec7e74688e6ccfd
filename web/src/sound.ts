/** Sounds and microphones: the ringtone, the level meter, the devices. */
import { shallowReactive } from 'vue'

let context: AudioContext | null = null

/** One audio context for the page. Browsers keep it silent until the first click or key. */
function audio(): AudioContext {
  context ??= new AudioContext()
  if (context.state === 'suspended') void context.resume().catch(() => undefined)
  return context
}

/** Call on a click, so that a ring can be heard later. */
export const unlockSound = (): void => void audio()

const RING_EVERY_MS = 3000

/** Ring (振铃) until the returned function is called: two soft notes every 3 s. */
export function ring(): () => void {
  const sound = audio()
  const out = sound.createGain()
  out.gain.value = 0.25
  out.connect(sound.destination)
  function once(): void {
    for (const [at, pitch] of [
      [0, 784],
      [0.22, 988],
      [0.7, 784],
      [0.92, 988],
    ] as const) {
      const note = sound.createOscillator()
      const shape = sound.createGain()
      const start = sound.currentTime + at
      note.type = 'triangle'
      note.frequency.value = pitch
      shape.gain.setValueAtTime(0, start)
      shape.gain.linearRampToValueAtTime(1, start + 0.02)
      shape.gain.exponentialRampToValueAtTime(0.001, start + 0.42)
      note.connect(shape).connect(out)
      note.start(start)
      note.stop(start + 0.45)
    }
  }
  once()
  const timer = setInterval(once, RING_EVERY_MS)
  return () => {
    clearInterval(timer)
    out.disconnect()
  }
}

/** Two notes, once: something wants to be looked at. */
export function chime(): void {
  const sound = audio()
  for (const [at, pitch] of [
    [0, 880],
    [0.25, 659],
  ] as const) {
    const note = sound.createOscillator()
    const shape = sound.createGain()
    const start = sound.currentTime + at
    note.frequency.value = pitch
    shape.gain.setValueAtTime(0.2, start)
    shape.gain.exponentialRampToValueAtTime(0.001, start + 0.5)
    note.connect(shape).connect(sound.destination)
    note.start(start)
    note.stop(start + 0.5)
  }
}

/** Tell `level` (0 to 1) ten times a second until the returned function is called. */
export function measure(stream: MediaStream, level: (value: number) => void): () => void {
  const sound = audio()
  const source = sound.createMediaStreamSource(stream)
  const analyser = sound.createAnalyser()
  analyser.fftSize = 512
  source.connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
    // -60 dB reads as nothing, 0 dB as full.
    level(Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-12) / 6)))
  }, 100)
  return () => {
    clearInterval(timer)
    source.disconnect()
    level(0)
  }
}

export type MicrophoneTrouble = 'mic_insecure' | 'mic_refused' | 'mic_missing' | 'mic_busy'

/** Why no microphone was given. */
export class NoMicrophone extends Error {
  constructor(readonly why: MicrophoneTrouble) {
    super(why)
  }
}

/** The microphone with the device id, or the browser's own choice for ''. Throws `NoMicrophone`. */
export async function microphone(device: string): Promise<MediaStream> {
  // Absent on a page that is neither https nor on this machine.
  if (!('mediaDevices' in navigator)) throw new NoMicrophone('mic_insecure')
  const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: device ? { ...wanted, deviceId: { exact: device } } : wanted,
    })
  } catch (error) {
    const name = error instanceof DOMException ? error.name : ''
    // A headset that was pulled out since it was chosen: take what there is.
    if (device && (name === 'OverconstrainedError' || name === 'NotFoundError')) return microphone('')
    if (name === 'NotAllowedError' || name === 'SecurityError') throw new NoMicrophone('mic_refused')
    if (name === 'NotFoundError') throw new NoMicrophone('mic_missing')
    throw new NoMicrophone('mic_busy')
  }
}

interface Devices {
  inputs: MediaDeviceInfo[]
  outputs: MediaDeviceInfo[]
  input: string
  output: string
}

/** What can be heard and spoken with, and what was chosen; '' is the browser's own choice. */
export const devices = shallowReactive<Devices>({
  inputs: [],
  outputs: [],
  input: localStorage.getItem('microphone') ?? '',
  output: localStorage.getItem('speaker') ?? '',
})

/** Names are known only after a microphone was once allowed. */
export async function lookForDevices(): Promise<void> {
  if (!('mediaDevices' in navigator)) return
  const all = await navigator.mediaDevices.enumerateDevices()
  devices.inputs = all.filter((device) => device.kind === 'audioinput' && device.deviceId)
  devices.outputs = all.filter((device) => device.kind === 'audiooutput' && device.deviceId)
}

export function choose(kind: 'input' | 'output', device: string): void {
  devices[kind] = device
  localStorage.setItem(kind === 'input' ? 'microphone' : 'speaker', device)
}
