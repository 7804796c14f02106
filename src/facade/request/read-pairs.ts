import { METADATA_NAME_PATTERN, metadataField } from '../../values/metadata.ts'

/**
 * The pairs of an object of JSON; null for what is none. The first that a message cannot hold is named in `unreadable`:
 * a value that is no text, and the one name that is no property in JavaScript. A name that no header can carry is not;
 * it is refused for itself.
 */
export const readPairs = (value: unknown, unreadable: string[]): Record<string, string> | null => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const pairs: Record<string, string> = {}
  const lost: string[] = []
  for (const [name, text] of Object.entries(value)) {
    const isProperty = name !== '__proto__'
    if (isProperty && typeof text === 'string' && text.isWellFormed()) pairs[name] = text
    else if (isProperty && !METADATA_NAME_PATTERN.test(name)) pairs[name] = ''
    else lost.push(metadataField(name))
  }
  unreadable.push(...lost.slice(0, 1))
  return pairs
}
