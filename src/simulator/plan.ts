import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Log } from '../runtime/log.ts'
import { parseJson } from './calls.ts'
import type { Call, Outcome } from './outcomes.ts'
import { OUTCOMES } from './outcomes.ts'

/** What a run is to get wrong: by name, how probably (0 to 1), and the number that decides when. */
export type RunPlan = { seed: number; misbehaviours: ReadonlyMap<string, number> }

/** A run's plan at work. */
export type Plan = {
  current: RunPlan
  /** The outcomes drawn for one call. `subject` is what the call is about and which of its kind it is. */
  drawn(call: Call, subject: string): Outcome[]
}

/**
 * Makes the draws of a run. A draw is a hash of seed, name and subject and of nothing else: not of the time, nor of the order
 * in which calls come. So the same seed under the same calls gives the same misbehaviours, however they overlap.
 */
export const createPlan = (first: RunPlan): Plan => {
  const plan: Plan = {
    current: first,
    drawn: (call, subject) =>
      OUTCOMES.filter((outcome) => outcome.call === call && happens(outcome.name, subject)),
  }
  const happens = (name: string, subject: string): boolean => {
    const probability = plan.current.misbehaviours.get(name) ?? 0
    return probability > 0 && draw(`${plan.current.seed} ${name} ${subject}`) < probability
  }
  return plan
}

const DRAW_BYTES = 6

/** A number from 0 up to 1 that belongs to the text. */
const draw = (text: string): number =>
  createHash('sha256').update(text).digest().readUIntBE(0, DRAW_BYTES) / 2 ** (8 * DRAW_BYTES)

/** The names that are no outcome's, for a refusal. */
export const unknownNames = (names: Iterable<string>): string[] =>
  [...names].filter((name) => !OUTCOMES.some((outcome) => outcome.name === name))

/** A run's plan as the pages, the log and the ready line show it. */
export const planView = ({ seed, misbehaviours }: RunPlan): Record<string, unknown> => ({
  seed,
  misbehaviours: Object.fromEntries(misbehaviours),
})

const PLAN = z.object({
  seed: z.int().min(0).optional(),
  misbehaviours: z.record(z.string(), z.number().min(0).max(1)),
})

/** The plan that a body asks for, under the given seed when it names none, or what is wrong with it. */
const readPlan = (bytes: unknown, seed: number): RunPlan | string => {
  const parsed = PLAN.safeParse(parseJson(bytes))
  if (!parsed.success) {
    return 'The body must be JSON like {"seed":7,"misbehaviours":{"push-cut":0.1}}, each probability from 0 to 1.'
  }
  const misbehaviours = new Map(Object.entries(parsed.data.misbehaviours))
  const unknown = unknownNames(misbehaviours.keys())
  if (unknown.length > 0) return `There is no outcome called ${unknown.join(', ')}; GET / lists them.`
  return { seed: parsed.data.seed ?? seed, misbehaviours }
}

/**
 * `GET /_plan`: the run's seed and misbehaviours. `PUT /_plan` goes on by others, under the same seed when it names none.
 * `DELETE /_plan`: nothing is drawn any more, for the quiet phase of a test.
 */
export const registerPlanRoutes = (server: FastifyInstance, options: { plan: Plan; log: Log }): void => {
  const { plan, log } = options
  const change = (next: RunPlan): Record<string, unknown> => {
    plan.current = next
    log.info(planView(next), 'plan changed')
    return planView(next)
  }
  server.get('/_plan', (_request, reply) => reply.send(planView(plan.current)))
  server.put('/_plan', (request, reply) => {
    const next = readPlan(request.body, plan.current.seed)
    return typeof next === 'string' ? reply.code(400).send({ error: next }) : reply.send(change(next))
  })
  server.delete('/_plan', (_request, reply) =>
    reply.send(change({ seed: plan.current.seed, misbehaviours: new Map() })),
  )
}
