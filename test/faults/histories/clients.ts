import { setTimeout as pause } from 'node:timers/promises'
import { Agent } from 'undici'
import type { Body, Call } from './history.ts'
import { createRecordingApi, type RecordingApi } from './recording-api.ts'

/** How many clients call at once. */
const CLIENTS = 8

/** The longest pause of a client between two calls, ms. */
const PAUSE_MS = 25

/** Sizes of pages, and after how many pages a walk is left: a walk through all of a long list would leave no time for others. */
const LIMITS = [2, 7, 30, 100] as const
const PAGES = 12

/** Of the simulator's payers: most pay, one cancels, one is never heard of, one is told of twice. */
const PHONES = [
  '254712345678',
  '254712345679',
  '254712345680',
  '254712345681',
  '254700000002',
  '254700000022',
  '254700000024',
] as const

/** What all clients know: keys that were asked for, and ids that were answered. */
type Shared = { wishes: { key: string; body: Body }[]; ids: number[]; walks: number }

/**
 * Lets concurrent clients use the public API until `signal` says so or `calls` were made, each with its own draws, and resolves with what they
 * wrote down when all calls have ended.
 */
export const playClients = async (options: {
  httpUrl: () => string
  apiKeys: { owner: string; stranger: string }
  callbackUrl: string
  random: () => number
  signal: AbortSignal
  calls: number
}): Promise<Call[]> => {
  const { random, signal, calls } = options
  const history: Call[] = []
  const shared: Shared = { wishes: [], ids: [], walks: 0 }
  const agent = new Agent({ connections: 16, connect: { timeout: 1_000 } })
  const play = async (client: number): Promise<void> => {
    const api = createRecordingApi({ ...options, client, history, agent, nowMs: () => performance.now() })
    while (!signal.aborted && history.length < calls) {
      await callOnce({ api, shared, ...options })
      await pause(random() * PAUSE_MS)
    }
  }
  try {
    await Promise.all(Array.from({ length: CLIENTS }, (_one, client) => play(client)))
    return history
  } finally {
    await agent.destroy()
  }
}

type Play = {
  api: RecordingApi
  shared: Shared
  callbackUrl: string
  random: () => number
  signal: AbortSignal
}

const callOnce = async (play: Play): Promise<void> => {
  const { api, shared, random } = play
  const draw = random()
  const wish = recent(shared.wishes, random)
  const id = recent(shared.ids, random)
  if (draw < 0.4 || wish === undefined) return ask(play, newWish(play))
  if (draw < 0.55) return ask(play, wish)
  if (draw < 0.62) return ask(play, { ...wish, body: { ...wish.body, amountKes: wish.body.amountKes + 1 } })
  if (draw < 0.9 && id !== undefined) {
    await api.read(draw < 0.85 ? 'owner' : 'stranger', id)
    return
  }
  return walk(play)
}

const newWish = ({ shared, callbackUrl, random }: Play): { key: string; body: Body } => {
  const key = `wish-${shared.wishes.length}`
  const phone = pick(PHONES, random)
  const wish = {
    key,
    body: { phone, amountKes: 1 + Math.floor(random() * 1000), reference: key, callbackUrl },
  }
  shared.wishes.push(wish)
  return wish
}

const ask = async ({ api, shared }: Play, { key, body }: { key: string; body: Body }): Promise<void> => {
  const answer = await api.request(key, body)
  if (answer.kind === 'success' || answer.kind === 'duplicate') shared.ids.push(answer.id)
}

const walk = async ({ api, shared, random, signal }: Play): Promise<void> => {
  const number = (shared.walks += 1)
  const limit = pick(LIMITS, random)
  let before: number | null = null
  for (let pages = 0; pages < PAGES && !signal.aborted; pages += 1) {
    const answer = await api.page(number, { before, limit })
    if (answer.kind !== 'page' || answer.next === null) return
    before = answer.next
  }
}

const pick = <Value>(values: readonly [Value, ...Value[]], random: () => number): Value =>
  values[Math.floor(random() * values.length)] ?? values[0]

/** One of all, those of late more often; undefined without any. */
const recent = <Value>(values: readonly Value[], random: () => number): Value | undefined =>
  values[values.length - 1 - Math.floor(random() ** 3 * values.length)]
