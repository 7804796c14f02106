import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createCallbackIds } from '../../../src/core/callback/callback.ts'

const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('the ids of callbacks', () => {
  it('sort in the order they were made, whatever the clock does, and none comes twice', () => {
    const times = [1_000, 1_000, 5_000, 2_000, 5_001]
    let asked = 0
    const clock = () => new Date(times[Math.floor(asked++ / 6_000)] ?? 9_000)
    const newId = createCallbackIds({ clock, randomBytes })
    const ids = Array.from({ length: 30_000 }, newId)
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => !UUID_7.test(id))).toEqual([])
  })

  it('hold the time, and differ between processes', () => {
    const options = { clock: () => new Date(Date.UTC(2026, 4, 4, 18, 4, 28)), randomBytes }
    const [one, other] = [createCallbackIds(options)(), createCallbackIds(options)()]
    expect(Number.parseInt(one.replaceAll('-', '').slice(0, 12), 16)).toBe(options.clock().getTime())
    expect(one).not.toBe(other)
  })
})
