import { parseId } from '../values/ids.ts'
import { CommandError } from './output.ts'

/** Reads an id that was typed as an argument; `what` names the thing. Throws a message for a person. */
export const readId = (what: string, text: string): bigint => {
  const id = parseId(text)
  if (id === null) throw new CommandError(`the ${what} must be an id, a positive whole number, not ${text}`)
  return id
}
