import { parseId } from '../../values/ids.ts'
import { Refusal } from '../refusal.ts'

/** The id that a part of a path is. Throws `Refusal` where it is none: there is no such page. */
export const readId = (text: string | undefined, what: string): bigint => {
  const id = parseId(text ?? '')
  if (id === null) throw new Refusal('not_found', `There is no such ${what}.`)
  return id
}

/** What was filled in; undefined where nothing was. */
export const filled = (form: URLSearchParams, name: string): string | undefined => {
  const text = (form.get(name) ?? '').trim()
  return text === '' ? undefined : text
}
