import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Log } from '../runtime/log.ts'
import { type Plan, type RunPlan, unknownNames } from './plan.ts'

const PLAN = z.object({
  seed: z.int().min(0).optional(),
  misbehaviours: z.record(z.string(), z.number().min(0).max(1)),
})

/** A run's plan as the pages, the log and the ready line show it. */
export const planView = ({ seed, misbehaviours }: RunPlan): Record<string, unknown> => ({
  seed,
  misbehaviours: Object.fromEntries(misbehaviours),
})

/** The plan that a body asks for, or what is wrong with it. */
const readPlan = (bytes: unknown, seed: number): RunPlan | string => {
  const parsed = PLAN.safeParse(parseJson(bytes))
  if (!parsed.success) {
    return 'The body must be JSON like {"seed":7,"misbehaviours":{"push-cut":0.1}}, each probability from 0 to 1.'
  }
  const unknown = unknownNames(Object.keys(parsed.data.misbehaviours))
  if (unknown.length > 0) return `There is no outcome called ${unknown.join(', ')}; GET / lists them.`
  return {
    seed: parsed.data.seed ?? seed,
    misbehaviours: new Map(Object.entries(parsed.data.misbehaviours)),
  }
}

const parseJson = (bytes: unknown): unknown => {
  try {
    return JSON.parse(String(bytes))
  } catch {
    return undefined
  }
}

/**
 * `GET /_plan`: the run's seed and misbehaviours. `PUT /_plan` goes on by others, under the same seed when it names none.
 * `DELETE /_plan`: nothing is drawn any more, for the quiet phase of a test.
 */
export const registerPlanRoutes = (server: FastifyInstance, options: { plan: Plan; log: Log }): void => {
  const { plan, log } = options

  const change = (next: RunPlan): Record<string, unknown> => {
    plan.change(next)
    log.info(planView(next), 'plan changed')
    return planView(next)
  }

  server.get('/_plan', (_request, reply) => reply.send(planView(plan.current())))

  server.put('/_plan', (request, reply) => {
    const next = readPlan(request.body, plan.current().seed)
    return typeof next === 'string' ? reply.code(400).send({ error: next }) : reply.send(change(next))
  })

  server.delete('/_plan', (_request, reply) =>
    reply.send(change({ seed: plan.current().seed, misbehaviours: new Map() })),
  )
}
