import { assert as check, constantFrom, type GeneratorValue, gen, json, nat, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCallback } from '../../../src/core/daraja/parse-callback.ts'
import { ODD_CODES, RESULTS, type ResultMeaning } from './answers-table.ts'
import { member, spellCode, spellDocument, spellObject, spellString } from './spell.ts'
import { CHECKOUT_REQUEST_ID, maybe, RUNS, resultMembers } from './spell-result.ts'

type Draw = GeneratorValue

const ITEMS = [
  '{"Name":"Amount","Value":150}',
  '{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"}',
  '{"Name":"TransactionDate","Value":20260504210428}',
  '{"Name":"PhoneNumber","Value":254712345678}',
  'null',
  '{}',
  '[]',
  '0',
  '{"Name":"Balance"}',
  '{"Name":null,"Value":0}',
]

const spellMetadata = (draw: Draw): string[] => {
  const items = Array.from({ length: draw(nat, 5) }, () => draw(constantFrom, ...ITEMS))
  const odd = draw(constantFrom, 'null', '{}', '[]', '"x"', '{"Item":null}', '{"Item":{}}')
  return maybe(
    draw,
    member(draw, 'CallbackMetadata', draw(nat, 3) === 0 ? odd : `{"Item":[${items.join(',')}]}`),
  )
}

const spellCallback = (draw: Draw, code: string, text: string): string => {
  const ids = draw(constantFrom, `"${CHECKOUT_REQUEST_ID}"`, '29115', 'null', '{}')
  const callback = spellObject(draw, [
    ...resultMembers(draw, code, text),
    ...spellMetadata(draw),
    ...maybe(draw, member(draw, 'MerchantRequestID', ids)),
    ...maybe(draw, member(draw, 'CheckoutRequestID', ids)),
  ])
  const body = spellObject(draw, [member(draw, 'stkCallback', callback)])
  return spellDocument(draw, spellObject(draw, [member(draw, 'Body', body)]))
}

const meaningOfCallback = (text: string): ResultMeaning => {
  const parsed = parseCallback(Buffer.from(text))
  if (parsed.kind === 'not_understood') return 'unsettled'
  return parsed.resultCode === '0' ? 'paid' : 'failed'
}

describe('a callback, however it is spelled', () => {
  it('means what the table says', () => {
    const spelled = property(gen(), (draw) => {
      const row = draw(constantFrom, ...RESULTS)
      const text = spellCallback(draw, spellCode(draw, row.code), row.text)
      expect([meaningOfCallback(text), text]).toEqual([row.means, text])
    })
    check(spelled, RUNS)
  })

  it('is neither paid nor failed when its code is not spelled as one', () => {
    const spelled = property(gen(), (draw) => {
      const text = spellCallback(
        draw,
        draw(constantFrom, ...ODD_CODES),
        'The service request is processed successfully.',
      )
      expect([meaningOfCallback(text), text]).toEqual(['unsettled', text])
    })
    check(spelled, RUNS)
  })

  it('is neither paid nor failed when there is anything around the code', () => {
    const spelled = property(gen(), (draw) => {
      const { code } = draw(constantFrom, ...RESULTS)
      const blanks = [
        ' ',
        '\t',
        '\n',
        '\r',
        '\u0000',
        '\u00a0',
        '\ufeff',
        '\u200b',
        '\u2028',
        '\u3000',
        '\u202e',
      ]
      const [before, after] = [draw(constantFrom, '', ...blanks), draw(constantFrom, ...blanks)]
      const padded = draw(constantFrom, before + code + after, after + code + before)
      const text = spellCallback(draw, spellString(draw, padded), '')
      expect([meaningOfCallback(text), text]).toEqual(['unsettled', text])
    })
    check(spelled, RUNS)
  })

  it('is neither paid nor failed when it has two codes, whichever', () => {
    const spelled = property(gen(), (draw) => {
      const [one, other] = [draw(constantFrom, ...RESULTS), draw(constantFrom, ...RESULTS)]
      const members = [one, other].map(({ code }) => member(draw, 'ResultCode', spellCode(draw, code)))
      const text = `{"Body":{"stkCallback":${spellObject(draw, members)}}}`
      expect([meaningOfCallback(text), text]).toEqual(['unsettled', text])
    })
    check(spelled, RUNS)
  })

  it('is paid for exactly 0 alone, whatever JSON stands in its fields, and never throws', () => {
    const anything = property(gen(), (draw) => {
      const fields = [
        'ResultCode',
        'ResultDesc',
        'MerchantRequestID',
        'CheckoutRequestID',
        'CallbackMetadata',
      ]
      const values = fields.map(() => draw(json, { maxDepth: 2 }))
      const text = `{"Body":{"stkCallback":{${fields.map((name, index) => `"${name}":${values[index]}`).join(',')}}}}`
      const isZero = values[0] === '0' || values[0] === '"0"'
      expect([meaningOfCallback(text) === 'paid', text]).toEqual([isZero, text])
    })
    check(anything, RUNS)
  })
})
