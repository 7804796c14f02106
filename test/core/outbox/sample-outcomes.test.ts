import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { SAMPLE_NAMES, sampleOutcomes } from '../../../src/core/outbox/sample-outcomes.ts'

const NOW = new Date('2026-05-04T18:04:28.500Z')

const read = (name: string) =>
  sampleOutcomes([name], NOW).map(({ body, attempt }) => Object.assign(JSON.parse(body), { attempt }))

describe('samples of outcomes', () => {
  it('have exactly the guide’s ten fields, in its order, and nothing that says that they are samples', () => {
    const samples = sampleOutcomes(SAMPLE_NAMES, NOW)
    expect(new Set(samples.map(({ name }) => name))).toEqual(new Set(SAMPLE_NAMES))
    for (const { body } of samples) {
      expect(Object.keys(JSON.parse(body))).toEqual([
        'transaction_id',
        'merchant_request_id',
        'checkout_request_id',
        'result_code',
        'result_desc',
        'amount',
        'mpesa_receipt',
        'transaction_date',
        'phone',
        'status',
      ])
      expect(JSON.parse(body).transaction_date).toBe('2026-05-04T18:04:28Z')
    }
  })

  it('are of payments that no partner has, a different one for each', () => {
    const ids = SAMPLE_NAMES.map((name) => read(name)[0]?.transaction_id)
    expect(new Set(ids).size).toBe(SAMPLE_NAMES.length)
    for (const id of ids) expect(id > 2_147_480_000 && id < 2 ** 31).toBe(true)
  })

  it('are all named in the partner guide', async () => {
    const guide = await readFile(new URL('../../../docs/partner-guide.md', import.meta.url), 'utf8')
    for (const name of SAMPLE_NAMES) expect(guide).toContain(`\`${name}\``)
  })

  it('have the codes that partners meet, as numbers where M-PESA’s are', () => {
    const codeOf = (name: string) => read(name).map(({ result_code, status }) => [result_code, status])
    expect(codeOf('paid')).toEqual([[0, 'successful']])
    expect(codeOf('cancelled')).toEqual([[1032, 'failed']])
    expect(codeOf('wrong-pin')).toEqual([[2001, 'failed']])
    expect(codeOf('insufficient-funds')).toEqual([[1, 'failed']])
    expect(codeOf('timeout')).toEqual([[1037, 'failed']])
    expect(codeOf('code-as-text')).toEqual([['SFC_IC0003', 'failed']])
    expect(read('not-prompted')).toMatchObject([
      {
        result_code: 'NOT_PROMPTED',
        merchant_request_id: null,
        checkout_request_id: null,
        mpesa_receipt: null,
      },
    ])
    expect(read('cancelled-by-partner')).toMatchObject([
      { result_code: 'CANCELLED', checkout_request_id: null },
    ])
    expect(read('paid-without-receipt')).toMatchObject([{ status: 'successful', mpesa_receipt: null }])
  })

  it('have one payment twice where that is what is rehearsed: repeated, and taken back', () => {
    const [first, again] = read('told-twice')
    expect(again).toEqual({ ...first, attempt: 2 })
    const [failed, paid] = read('late-success')
    expect([failed.status, paid.status]).toEqual(['failed', 'successful'])
    expect([paid.transaction_id, paid.attempt]).toEqual([failed.transaction_id, 1])
  })
})
