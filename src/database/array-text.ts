/**
 * Writes an array as Postgres reads one (`{1,2}`), for `pg` writes each element as a text that it then searches for
 * quotes, twice: of what statements carry most, ids and short texts, that took three times as long. Elements are what
 * columns hold; a Buffer is a `bytea`.
 */
export const toArrayText = (elements: readonly unknown[]): string => {
  let text = ''
  for (const element of elements) text += `${text === '' ? '{' : ','}${toElement(element)}`
  return text === '' ? '{}' : `${text}}`
}

const toElement = (element: unknown): string => {
  if (element === null || element === undefined) return 'NULL'
  if (typeof element === 'string') return toQuoted(element)
  if (typeof element === 'bigint' || typeof element === 'number' || typeof element === 'boolean')
    return String(element)
  if (typeof element === 'object') return toElementOfObject(element)
  throw new TypeError(`no column holds a ${typeof element}`)
}

const toElementOfObject = (element: object): string => {
  if (Buffer.isBuffer(element)) return `"\\\\x${element.toString('hex')}"`
  if (element instanceof Date) return `"${element.toISOString()}"`
  if (Array.isArray(element)) return toArrayText(element)
  return toQuoted(JSON.stringify(element))
}

const SPECIAL = /["\\]/

const toQuoted = (text: string): string =>
  SPECIAL.test(text) ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `"${text}"`
