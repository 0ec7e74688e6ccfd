/** A chosen file as base64, as the service takes recordings. Throws RangeError when it is too large to be one. */
const MOST_BYTES = 220_000

export async function base64Of(file: File): Promise<string> {
  if (file.size > MOST_BYTES) throw new RangeError('too large')
  const bytes = new Uint8Array(await file.arrayBuffer())
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}
