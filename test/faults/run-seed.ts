import { setTimeout as pause } from 'node:timers/promises'
import { createFaults } from './commit-faults.ts'
import { type Comparison, compareLedgers } from './ledgers.ts'
import { makePlan, type Plan, PROCESS_NAMES, seededRandom } from './plan.ts'
import { letTimePass, openDuties } from './quiet.ts'
import type { OwnServices } from './services.ts'
import { type FaultStage, startStage } from './stage.ts'

export type SeedResult = Comparison & {
  seed: number
  /** Requests of the partner whose outcome stayed unknown, and were repeated with their key. */
  unknown: number
  /** How long the quiet phase took until nothing was left to be done, ms. */
  finishedInMs: number
}

/** How long everything may take to finish once nothing goes wrong any more, ms. */
const FINISH_MS = 60_000

/** How much longer the play goes on until something was delivered, on a machine that is slow, at most, ms. */
const FIRST_DELIVERY_MS = 30_000

/** Longer than every lease and pause, seconds. */
const LONG_SECONDS = 7_200

/**
 * Runs the plan of a seed on a deployment of its own, then lets all be quiet: every fault ends, every process is killed
 * once more and started, every lease runs out; and compares the ledgers.
 */
export const runSeed = async (options: {
  services: OwnServices
  seed: number
  seconds: number
}): Promise<SeedResult> => {
  const plan = makePlan(options.seed, options.seconds)
  const stage = await startStage({
    services: options.services,
    name: `faults_${options.seed}_${process.pid}`,
    random: seededRandom(options.seed),
  })
  try {
    await options.services.nats.keepCopy()
    const asked = await playPlan({ plan, stage, services: options.services })
    const finishedInMs = await finish(stage, asked)
    const comparison = await compareLedgers(stage)
    const problems = [...comparison.problems, ...stage.defects()]
    return { ...comparison, problems, seed: options.seed, unknown: stage.client.unknown(), finishedInMs }
  } finally {
    await stage.close()
  }
}

/** Resolves when the faults are over and something was delivered, with the requests: some are not answered yet. */
const playPlan = async (parts: {
  plan: Plan
  stage: FaultStage
  services: OwnServices
}): Promise<Promise<void>[]> => {
  const { plan, stage } = parts
  const commit = createFaults(parts)
  const wishes = plan.wishes.flatMap((wish) => Array.from({ length: wish.times }, () => wish))
  const asked = wishes.map((wish) => pause(wish.atMs).then(() => stage.client.ask(wish)))
  const faults = plan.faults.map(({ atMs, fault }) => pause(atMs).then(() => commit(fault)))
  await Promise.all([...faults, pause(plan.seconds * 1000)])
  const untilMs = performance.now() + FIRST_DELIVERY_MS
  while (stage.world.receiver.received.length === 0 && performance.now() < untilMs) await pause(50)
  return asked
}

/**
 * Lets all be quiet: kills and starts every process, lets every lease run out, and waits until nothing is left to be done; resolves
 * with how long that took, ms.
 */
export const finish = async (stage: FaultStage, asked: readonly Promise<void>[]): Promise<number> => {
  await Promise.all(PROCESS_NAMES.map((name) => stage.kill(name)))
  await letTimePass(stage.database, LONG_SECONDS)
  const startedMs = performance.now()
  await Promise.all(PROCESS_NAMES.map((name) => stage.start(name)))
  const untilMs = startedMs + FINISH_MS
  await Promise.race([Promise.all(asked), pause(FINISH_MS, undefined, { ref: false })])
  while (performance.now() < untilMs) {
    const open = await openDuties(stage.database)
    // A callback of a payment that is settled already is nobody's duty, and has to come in from the spool all the same.
    if (Object.values(open).every((count) => count === 0) && (await stage.spooledFiles()) === 0) break
    await pause(50)
  }
  return Math.round(performance.now() - startedMs)
}
