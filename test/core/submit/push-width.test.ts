import { describe, expect, it } from 'vitest'
import { createPushWidth, type PushWidth } from '../../../src/core/submit/push-width.ts'

const CEILING = 256

type Kind = Parameters<PushWidth['answered']>[0]['kind']

/** A round: as many pushes as may be under way, and their answers. */
const play = (
  width: PushWidth,
  given: { count?: number; tookMs?: number; kindOf?: (index: number) => Kind } = {},
): void => {
  const { count = width.now(), tookMs = 1_000, kindOf = () => 'good' } = given
  for (let index = 0; index < count; index += 1) width.sent()
  for (let index = 0; index < count; index += 1) width.answered({ tookMs, kind: kindOf(index) })
}

const grown = (): PushWidth => {
  const width = createPushWidth(CEILING)
  for (let round = 0; round < 20; round += 1) play(width)
  return width
}

describe('how many pushes may be under way', () => {
  it('begins with a quarter of the ceiling, and grows by the same with each round that is answered well', () => {
    const width = createPushWidth(CEILING)
    expect(width.now()).toBe(64)
    play(width)
    const first = width.now() - 64
    expect(first).toBeGreaterThan(0)
    play(width)
    expect(width.now()).toBe(64 + 2 * first)
  })

  it('comes to the ceiling, and never above', () => {
    const width = grown()
    expect(width.now()).toBe(CEILING)
    play(width)
    expect(width.now()).toBe(CEILING)
  })

  it('does not grow while fewer are under way than may be', () => {
    const width = createPushWidth(CEILING)
    for (let time = 0; time < 200; time += 1) play(width, { count: 5 })
    expect(width.now()).toBe(64)
  })

  it('is halved for each hold of the account, down to the floor, and grows again', () => {
    const width = grown()
    width.held(1)
    expect(width.now()).toBe(CEILING / 2)
    width.held(1)
    expect(width.now()).toBe(CEILING / 2)
    width.held(3)
    expect(width.now()).toBe(CEILING / 8)
    width.held(30)
    expect(width.now()).toBe(CEILING / 64)
    width.held(0)
    expect(width.now()).toBe(CEILING / 64)
    play(width)
    expect(width.now()).toBeGreaterThan(CEILING / 64)
    width.held(1)
    expect(width.now()).toBeLessThan(CEILING / 8)
  })

  it('is halved once when Daraja slows markedly, and not again for what was under way by then', () => {
    const width = grown()
    // All of this was sent while the width was whole.
    play(width, { tookMs: 5_000, count: 2 * CEILING })
    expect(width.now()).toBe(CEILING / 2)
    play(width, { tookMs: 1_000 })
    expect(width.now()).toBeGreaterThan(CEILING / 2)
  })

  it('goes on with the first round after a hold, whatever was turned away by then', () => {
    const width = grown()
    for (let index = 0; index < CEILING; index += 1) width.sent()
    width.held(1)
    for (let index = 0; index < CEILING; index += 1) width.answered({ tookMs: 1_000, kind: 'turned_away' })
    expect(width.now()).toBe(CEILING / 2)
    play(width)
    expect(width.now()).toBeGreaterThan(CEILING / 2)
  })

  it('comes back when Daraja stays as slow as that', () => {
    const width = grown()
    for (let round = 0; round < 100; round += 1) play(width, { tookMs: 5_000 })
    expect(width.now()).toBe(CEILING)
  })

  it('stays for single slow answers', () => {
    const width = grown()
    play(width, { tookMs: 30_000, count: 5 })
    play(width, { count: CEILING - 5 })
    expect(width.now()).toBe(CEILING)
  })

  it('is halved when more than a tenth of a round has an unknown outcome', () => {
    const width = grown()
    play(width, { kindOf: (index) => (index < 20 ? 'unknown' : 'good') })
    expect(width.now()).toBe(CEILING)
    play(width, { kindOf: (index) => (index < 30 ? 'unknown' : 'good') })
    expect(width.now()).toBe(CEILING / 2)
  })

  it.each([1, 2, 8])('is at least one, also with a ceiling of %i', (ceiling) => {
    const width = createPushWidth(ceiling)
    expect(width.now()).toBeGreaterThanOrEqual(1)
    width.held(10)
    expect(width.now()).toBe(1)
    for (let round = 0; round < 20; round += 1) play(width)
    expect(width.now()).toBe(ceiling)
  })
})
