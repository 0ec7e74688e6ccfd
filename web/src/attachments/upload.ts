import { Problem } from '@/api/client'
import type { Attachment } from '@/api/notices'

/** `640 B`, `12 kB`, `3.4 MB` */
export function sizeOf(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 2 ** 20 ? `${Math.round(bytes / 1024)} kB` : `${(bytes / 2 ** 20).toFixed(1)} MB`
}

/**
 * Bring a file to an order. `told`: the share in per cent that has gone out. Throws `Problem`.
 * By XMLHttpRequest, for `fetch` does not tell how much has gone out.
 */
export function upload(code: string, file: File, signal: AbortSignal, told: (share: number) => void): Promise<Attachment> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest()
    const away = () => failed(new Problem(0, 'offline', '连不上服务，请检查网络', 'The service cannot be reached; check the network'))
    request.open('POST', `/api/v1/orders/${code}/attachments?${new URLSearchParams({ name: file.name.slice(-500), key: crypto.randomUUID() })}`)
    request.setRequestHeader('X-Callcenter', '1')
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    request.responseType = 'json'
    request.upload.onprogress = (event) => told(event.lengthComputable ? Math.floor((event.loaded * 100) / event.total) : 0)
    request.onerror = request.ontimeout = away
    request.onabort = () => failed(new Problem(0, 'stopped', '已取消上传', 'Sending was stopped'))
    request.onload = () => {
      if (request.status === 201) return done(request.response as Attachment)
      const error = (request.response as { error?: { code: string; zh: string; en: string } } | null)?.error
      failed(new Problem(request.status, error?.code ?? `http_${request.status}`, error?.zh ?? `服务出错（${request.status}）`, error?.en ?? `The service failed (${request.status})`))
    }
    signal.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}
