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
  switch (typeof element) {
    case 'bigint':
    case 'number':
    case 'boolean':
      return String(element)
    case 'string':
      return toQuoted(element)
    default:
      return toElementOfObject(element)
  }
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
