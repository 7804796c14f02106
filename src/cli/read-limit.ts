import { CommandError } from './output.ts'

/** Reads a whole number from 1 to `most`; throws a message that names the option when it is something else. */
export const readLimit = (text: string, most: number, name = '--limit'): number => {
  const limit = Number(text)
  if (!/^\d{1,9}$/.test(text) || limit < 1 || limit > most) {
    throw new CommandError(`${name} must be a whole number from 1 to ${most}, not ${text}`)
  }
  return limit
}
