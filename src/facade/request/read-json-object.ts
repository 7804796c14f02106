import { isUtf8 } from 'node:buffer'
import type { onRequestHookHandler } from 'fastify'
import { MESSAGES, Refusal } from '../errors.ts'

/**
 * Refuses a body of which no header says how long it is. HTTP takes it for none, and its bytes for another request (RFC
 * 9112, section 6.3): the answer must be there before Node's parser gives up on them.
 */
export const requireLength: onRequestHookHandler = ({ headers }, _reply, done) => {
  const isDeclared = headers['content-type'] !== undefined
  const hasLength = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  done(isDeclared && !hasLength ? new Refusal(400, MESSAGES.lengthMissing) : undefined)
}

/**
 * Reads a request's body as a JSON object. Throws a Refusal for what is no JSON (415 without a body, 400), no object,
 * or names one of `fields` twice: JSON leaves open which one counts, and whoever checked the request before us may have
 * read the other. Own properties only: `__proto__` is a name like any other, and ignored like any other.
 */
export const readJsonObject = (
  body: Buffer | undefined,
  fields: readonly string[],
): Readonly<Record<string, unknown>> => {
  if (body === undefined) throw new Refusal(415, MESSAGES.notJson)
  if (!isUtf8(body)) throw new Refusal(400, MESSAGES.malformedJson)
  const text = body.toString()
  const value = parse(text)
  if (!isObject(value)) throw new Refusal(400, MESSAGES.notObject)
  const repeated = findRepeatedField(text, fields)
  if (repeated !== undefined) throw new Refusal(400, `${repeated} must be given only once`)
  return value
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, MESSAGES.malformedJson)
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Which of `fields` the object that `text` holds (valid JSON) names more than once; undefined for none. */
const findRepeatedField = (text: string, fields: readonly string[]): string | undefined => {
  // A name that stands once in the text, and cannot stand there in disguise, is not repeated: nearly every request.
  const suspects = text.includes('\\')
    ? fields
    : fields.filter((field) => text.indexOf(`"${field}"`) !== text.lastIndexOf(`"${field}"`))
  if (suspects.length === 0) return undefined
  const names = topLevelNames(text)
  return suspects.find((field) => names.indexOf(field) !== names.lastIndexOf(field))
}

/** A string, with the colon after it if it is a name; or a bracket. */
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|[[\]{}]/g

/** The names of an object's own members, in order, with repetitions; `text` is valid JSON. */
const topLevelNames = (text: string): string[] => {
  const names: string[] = []
  let depth = 0
  for (const [token, quoted, colon] of text.matchAll(TOKENS)) {
    if (quoted === undefined) depth += token === '{' || token === '[' ? 1 : -1
    else if (colon !== undefined && depth === 1) names.push(String(JSON.parse(quoted)))
  }
  return names
}
