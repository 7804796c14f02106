import { describe, expect, it } from 'vitest'
import { type Loop, startLoop } from '../../src/runtime/loop.ts'
import { eventually } from '../support/eventually.ts'
import { quietLog } from '../support/quiet-log.ts'

const NEVER_MS = 3_600_000

const start = (round: () => Promise<boolean>, isOutage: (error: unknown) => boolean = () => false): Loop =>
  startLoop({ name: 'test', idleMs: NEVER_MS, round, isOutage, log: quietLog })

describe('a loop', () => {
  it('goes on at once while there is more, then rests until it is woken', async () => {
    let rounds = 0
    const loop = start(() => Promise.resolve(++rounds < 3))
    await eventually(() => expect(rounds).toBe(3))
    loop.wake()
    await eventually(() => expect(rounds).toBe(4))
    await loop.stop()
    expect(rounds).toBe(4)
  })

  it('hears a call that comes during a round', async () => {
    let rounds = 0
    const loop: Loop = start(() => {
      rounds += 1
      if (rounds === 1) loop.wake()
      return Promise.resolve(false)
    })
    await eventually(() => expect(rounds).toBe(2))
    await loop.stop()
  })

  it('lets what comes after a round gather for a breath, unless it is stopped', async () => {
    let rounds = 0
    const round = (): Promise<boolean> => Promise.resolve(++rounds < 2)
    const parts = {
      name: 'test',
      idleMs: NEVER_MS,
      minPauseMs: NEVER_MS,
      isOutage: () => false,
      log: quietLog,
    }
    const loop = startLoop({ ...parts, round })
    await eventually(() => expect(rounds).toBe(2))
    loop.wake()
    await new Promise((resolve) => setImmediate(resolve))
    await loop.stop()
    expect(rounds).toBe(2)
  })

  it('runs the round that it was woken for once the breath is over', async () => {
    let rounds = 0
    const round = (): Promise<boolean> => Promise.resolve(++rounds < 2)
    const parts = { name: 'test', idleMs: NEVER_MS, minPauseMs: 1, isOutage: () => false, log: quietLog }
    const loop = startLoop({ ...parts, round })
    await eventually(() => expect(rounds).toBe(2))
    loop.wake()
    await eventually(() => expect(rounds).toBe(3))
    await loop.stop()
  })

  it('stops only after the round under way', async () => {
    let finish: (() => void) | undefined
    let finished = false
    const loop = start(async () => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      finished = true
      return false
    })
    await eventually(() => expect(finish).toBeDefined())
    const stopped = loop.stop()
    expect(finished).toBe(false)
    finish?.()
    await stopped
    expect(finished).toBe(true)
  })

  it('endures an outage', async () => {
    let rounds = 0
    const loop = start(
      () => (++rounds < 3 ? Promise.reject(new Error('away')) : Promise.resolve(false)),
      (error) => error instanceof Error && error.message === 'away',
    )
    await eventually(() => expect(rounds).toBe(3))
    await loop.stop()
  })

  it('dies of a defect, and says so', async () => {
    const loop = start(() => Promise.reject(new Error('a defect')))
    await expect(loop.ended).rejects.toThrow('a defect')
  })
})
