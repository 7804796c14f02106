import { type GeneratorValue, nat } from 'fast-check'
import { member, rephrase, spellString } from './spell.ts'

/** How many spellings each test draws; SPELLINGS sets it for a longer look. */
export const RUNS = { numRuns: Number(process.env['SPELLINGS'] ?? 250) }

export const CHECKOUT_REQUEST_ID = 'ws_CO_04052026210410237712345678'

export const maybe = (draw: GeneratorValue, one: string): string[] => (draw(nat, 2) === 0 ? [] : [one])

/** ResultCode, as JSON, and ResultDesc. */
export const resultMembers = (draw: GeneratorValue, code: string, text: string): string[] => {
  const said = member(draw, 'ResultDesc', spellString(draw, rephrase(draw, text)))
  return [member(draw, 'ResultCode', code), ...(text === '' ? maybe(draw, said) : [said])]
}
