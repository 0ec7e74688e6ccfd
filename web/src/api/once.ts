/** What is asked for once for the page's life (只取一次), by whomever comes first. */
import { get } from './client'

export interface Once {
  /** Throws `Problem`; the next call asks again. */
  load: () => Promise<void>
  /** Something of it has been changed: asked for anew where it was. What cannot be asked is left as it was. */
  reload: () => Promise<void>
}

export function once<Answer>(path: string, take: (found: Answer) => void): Once {
  let asking: Promise<void> | null = null
  function load(): Promise<void> {
    asking ??= get<Answer>(path).then(take, (error: unknown) => {
      asking = null
      throw error
    })
    return asking
  }
  async function reload(): Promise<void> {
    if (!asking) return
    asking = null
    await load().catch(() => undefined)
  }
  return { load, reload }
}
