import type { Wish } from './partner-client.ts'

/** What can go wrong; `forMs`: for how long, or after how long what was ended is started again. */
export type Fault =
  | { kind: 'kill' | 'pause'; process: ProcessName; forMs: number }
  | { kind: 'kill_postgres' | 'restart_postgres'; forMs: number }
  | { kind: 'stop_nats' | 'restore_nats' | 'truncate_nats' | 'delete_nats'; forMs: number }
  | { kind: 'cut'; link: LinkName }
  | { kind: 'block'; link: LinkName; forMs: number }
  | { kind: 'endpoint_fails'; forMs: number }
  | { kind: 'jump_clock'; seconds: number }

export const PROCESS_NAMES = ['serve 1', 'serve 2', 'dispatch 1', 'dispatch 2'] as const
export type ProcessName = (typeof PROCESS_NAMES)[number]

/** The ways between the processes and what they speak to, seen from the one that connects. */
export const LINK_NAMES = ['partner', 'daraja', 'callbacks', 'endpoint', 'postgres', 'nats'] as const
export type LinkName = (typeof LINK_NAMES)[number]

/** A run: which faults begin when, and which payments are asked for when, ms from its start. */
export type Plan = {
  seed: number
  seconds: number
  faults: { atMs: number; fault: Fault }[]
  wishes: (Wish & { atMs: number; times: number })[]
}

/** Numbers from 0 up to 1, the same for the same seed: mulberry32. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** How many faults begin, and how many payments are asked for, a second. */
const FAULTS_PER_SECOND = 1.5
const WISHES_PER_SECOND = 12

/** The simulator's outcomes by phone number (docs/simulator.md); most payers simply pay. */
const PHONES = [
  '254712345678',
  '254712345679',
  '254712345680',
  '254712345681',
  '254700000001',
  '254700000002',
  '254700000003',
  '254700000011',
  '254700000012',
  '254700000021',
  '254700000022',
  '254700000023',
  '254700000024',
  '254700000025',
  '254700000031',
  '254700000032',
  '254700000033',
  '254700000034',
] as const

const KINDS = [
  'kill',
  'kill',
  'pause',
  'kill_postgres',
  'restart_postgres',
  'stop_nats',
  'restore_nats',
  'truncate_nats',
  'delete_nats',
  'cut',
  'cut',
  'block',
  'endpoint_fails',
  'jump_clock',
] as const

/** The plan of a seed. Pure: the same seed and length, the same plan. */
export const makePlan = (seed: number, seconds: number): Plan => {
  const random = seededRandom(seed)
  const times = (perSecond: number): number[] =>
    Array.from({ length: Math.ceil(seconds * perSecond) }, () => Math.floor(random() * seconds * 1000)).sort(
      (one, other) => one - other,
    )
  return {
    seed,
    seconds,
    faults: times(FAULTS_PER_SECOND).map((atMs) => ({ atMs, fault: makeFault(random) })),
    wishes: times(WISHES_PER_SECOND).map((atMs, index) => ({
      key: `seed-${seed}-${index}`,
      phone: pick(random, PHONES),
      amountKes: 1 + Math.floor(random() * 1000),
      // Now and then a partner asks twice at once.
      times: random() < 0.1 ? 2 : 1,
      atMs,
    })),
  }
}

const makeFault = (random: () => number): Fault => {
  const kind = pick(random, KINDS)
  const forMs = Math.floor(100 + random() ** 2 * 2_900)
  if (kind === 'kill' || kind === 'pause') return { kind, process: pick(random, PROCESS_NAMES), forMs }
  if (kind === 'cut') return { kind, link: pick(random, LINK_NAMES) }
  if (kind === 'block') return { kind, link: pick(random, LINK_NAMES), forMs }
  if (kind === 'jump_clock') return { kind, seconds: Math.floor(1 + random() ** 2 * 600) }
  return { kind, forMs }
}

const pick = <Value>(random: () => number, values: readonly [Value, ...Value[]]): Value =>
  values[Math.floor(random() * values.length)] ?? values[0]

/** The plan's faults, a line each, for people. */
export const describePlan = (plan: Plan): string[] =>
  plan.faults.map(({ atMs, fault }) => `${String(atMs).padStart(6)} ms  ${Object.values(fault).join(' ')}`)
