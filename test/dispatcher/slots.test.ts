import { describe, expect, it } from 'vitest'
import { createSlots } from '../../src/dispatcher/slots.ts'

describe('slots', () => {
  it('hand out as many places as there are, and those given back', async () => {
    const slots = createSlots(3)
    expect(await slots.take()).toBe(true)
    expect(slots.takeUpTo(10)).toBe(2)
    expect(slots.takeUpTo(10)).toBe(0)
    slots.give(2)
    expect(slots.takeUpTo(1)).toBe(1)
  })

  it('let those who wait have what is given back, in their order, before anybody else', async () => {
    const slots = createSlots(1)
    await slots.take()
    const order: number[] = []
    const waiting = [1, 2].map((who) => slots.take().then(() => order.push(who)))
    slots.give(1)
    await waiting[0]
    expect(order).toEqual([1])
    expect(slots.takeUpTo(1)).toBe(0)
    slots.give(1)
    await waiting[1]
    expect(order).toEqual([1, 2])
  })

  it('send those who wait away when they are closed', async () => {
    const slots = createSlots(1)
    await slots.take()
    const waiting = slots.take()
    slots.close()
    expect(await waiting).toBe(false)
    expect(await slots.take()).toBe(false)
    slots.give(1)
    expect(slots.takeUpTo(1)).toBe(0)
  })

  it('tell when all are free again', async () => {
    const slots = createSlots(2)
    await slots.allFree()
    slots.takeUpTo(2)
    let free = false
    const told = slots.allFree().then(() => {
      free = true
    })
    slots.give(1)
    await Promise.resolve()
    expect(free).toBe(false)
    slots.give(1)
    await told
    expect(free).toBe(true)
  })
})
