import { describe, expect, it } from 'vitest'
import type { ReceivedCallback } from '../../../src/core/callback/callback.ts'
import { decodeRecords, encodeRecord } from '../../../src/core/callback/spool-record.ts'
import { received } from './received.ts'

const everyByte = Buffer.from(Array.from({ length: 256 }, (_one, byte) => byte))

const THREE = [
  received({ payment_id: 2n ** 62n, nonce: '0123456789abcdef', body: everyByte }),
  received({ body: Buffer.alloc(0), headers: [], source_address: '' }),
  received({
    is_refused: true,
    body_bytes: 65_000,
    headers: [['X-Ünicode', '"\\\u0001☃']],
  }),
] as const

const RECORDS = THREE.map(encodeRecord)
const FILE = Buffer.concat(RECORDS)

/** The offset at which each record ends. */
const ENDS = RECORDS.map((_one, index) => Buffer.concat(RECORDS.slice(0, index + 1)).length)

describe('the records of the spool', () => {
  it('come back as they went in', () => {
    expect(decodeRecords(FILE)).toEqual({ callbacks: THREE, damaged: [] })
    expect(decodeRecords(Buffer.alloc(0))).toEqual({ callbacks: [], damaged: [] })
  })

  it('of the release before have no nonce', () => {
    const { nonce: _none, ...older } = received()
    expect(decodeRecords(encodeRecord(older as ReceivedCallback)).callbacks).toEqual([
      { ...older, nonce: 'unread' },
    ])
  })

  it('torn at any byte: those before are whole, the torn one is none', () => {
    for (let length = 0; length < FILE.length; length += 1) {
      const { callbacks, damaged } = decodeRecords(FILE.subarray(0, length))
      const whole = ENDS.filter((end) => end <= length).length
      expect(callbacks).toEqual(THREE.slice(0, whole))
      const start = ENDS[whole - 1] ?? 0
      const torn = length === start ? [] : [{ offset: start, bytes: FILE.subarray(start, length) }]
      expect(damaged).toEqual(torn)
    }
  })

  it('with any one byte changed: none is taken for what it is not, and none of its bytes gets lost', () => {
    const originals = THREE.map((callback) => encodeRecord(callback).toString('latin1'))
    for (let at = 0; at < FILE.length; at += 1) {
      const file = Buffer.from(FILE)
      file[at] = (file[at] ?? 0) ^ 0x41
      const { callbacks, damaged } = decodeRecords(file)
      expect(damaged).toHaveLength(1)
      for (const callback of callbacks) expect(originals).toContain(encodeRecord(callback).toString('latin1'))
      const bytes = callbacks.reduce((sum, callback) => sum + encodeRecord(callback).length, 0)
      expect(bytes + (damaged[0]?.bytes.length ?? 0)).toBe(FILE.length)
    }
  })

  it('written by the release before, which knew of no strangers, are read too', () => {
    const { body_bytes, ...asBefore } = THREE[0]
    expect(body_bytes).toBeNull()
    const record = encodeRecord(asBefore as (typeof THREE)[0])
    expect(record.toString('latin1')).not.toContain('stranger')
    expect(decodeRecords(record).callbacks).toEqual([THREE[0]])
  })

  it('damaged in its content alone takes nothing behind it along', () => {
    const file = Buffer.from(FILE)
    file[20] = (file[20] ?? 0) ^ 1
    expect(decodeRecords(file).callbacks).toEqual(THREE.slice(1))
  })

  it('a record inside a torn record is part of its body, not a record', () => {
    const forged = encodeRecord(received({ payment_id: 7n, body: Buffer.from('{"forged":true}') }))
    const outer = encodeRecord(received({ body: forged }))
    for (let length = 0; length < outer.length; length += 1)
      expect(decodeRecords(outer.subarray(0, length)).callbacks).toEqual([])
  })

  it('zeros, as a crashed machine leaves them at the end of a file, are no records', () => {
    const { callbacks, damaged } = decodeRecords(Buffer.concat([FILE, Buffer.alloc(4096)]))
    expect(callbacks).toHaveLength(3)
    expect(damaged.map(({ bytes }) => bytes.length)).toEqual([4096])
  })
})
