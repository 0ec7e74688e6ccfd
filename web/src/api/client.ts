/** The one place that speaks HTTP to the service. */

/** What went wrong, in both languages. `status` 0: the service could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly zh: string,
    readonly en: string,
    readonly fields: Readonly<Record<string, string>> = {},
    readonly body: unknown = null,
  ) {
    super(`${code}: ${en}`)
  }
}

export const offline = () => new Problem(0, 'offline', '连不上服务，请检查网络', 'The service cannot be reached; check the network')

const DEADLINE_MS = 15_000

let loggedOut: () => void = () => undefined

/** Who is told when the service no longer knows the session. */
export function whenLoggedOut(tell: () => void): void {
  loggedOut = tell
}

function problem(status: number, body: unknown): Problem {
  const error = (body as { error?: { code?: string; zh?: string; en?: string; fields?: Record<string, string> } } | null)
    ?.error
  return new Problem(
    status,
    error?.code ?? `http_${status}`,
    error?.zh ?? `服务出错（${status}）`,
    error?.en ?? `The service failed (${status})`,
    error?.fields ?? {},
    body,
  )
}

/**
 * Ask the service. `path` begins after `/api/v1`. `lasting`: the request outlives the page, for a last save.
 * `deadline`: milliseconds until it counts as away.
 * Throws `Problem`.
 */
export async function ask<Answer>(
  method: string,
  path: string,
  body?: unknown,
  lasting = false,
  deadline = DEADLINE_MS,
): Promise<Answer> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (method !== 'GET') headers['X-Callcenter'] = '1'
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  let response: Response
  let answer: unknown
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      keepalive: lasting,
      signal: AbortSignal.timeout(deadline),
    })
    const text = await response.text()
    answer = text && response.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : null
  } catch {
    throw offline()
  }
  if (response.ok) return answer as Answer
  const failed = problem(response.status, answer)
  if (failed.status === 401 && failed.code === 'not_logged_in') loggedOut()
  throw failed
}

export const get = <Answer>(path: string) => ask<Answer>('GET', path)
export const post = <Answer>(path: string, body?: unknown) => ask<Answer>('POST', path, body)

/** Ask for a file and let the browser keep it under the name that the service gives. Throws `Problem`. */
export async function download(path: string, body: unknown, deadline = 600_000): Promise<void> {
  let response: Response
  let file: Blob
  try {
    response = await fetch(`/api/v1${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Callcenter': '1' },
      body: JSON.stringify(body),
      credentials: 'same-origin',
      signal: AbortSignal.timeout(deadline),
    })
    file = await response.blob()
  } catch {
    throw offline()
  }
  if (!response.ok) {
    const failed = problem(response.status, await file.text().then(JSON.parse).catch(() => null))
    if (failed.status === 401 && failed.code === 'not_logged_in') loggedOut()
    throw failed
  }
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? 'orders'
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** `?a=1&b=2` of what is not empty. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value !== '' && value !== null && value !== undefined)
  return given.length ? `?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}` : ''
}
