import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { asOne } from '../runtime/as-one.ts'
import type { Log } from '../runtime/log.ts'
import { parseJson } from './calls.ts'
import type { Ledger, Prompt } from './ledger.ts'
import { type Behaviour, type Call, OUTCOMES, type Outcome, PAID_OUTCOME } from './outcomes.ts'

/** How one call goes, and the names of the outcomes that say so; none: all is plain. */
export type Choice = { behaviour: Behaviour; names: string[] }

/** The outcomes that a payer's phone number and the amount (KES) choose, the phone number's first: one, two or none. */
export const chosenBy = (phone: string, amountKes: number): Outcome[] => [
  ...OUTCOMES.filter((outcome) => outcome.phones.includes(phone)),
  ...OUTCOMES.filter((outcome) => outcome.amountKes === amountKes),
]

/** The outcomes that a consumer key chooses for all the calls of one kind made with it: names, joined by `+`. */
export const chosenByKey = (consumerKey: string, call: Call): Outcome[] => {
  const names = consumerKey.split('+')
  return OUTCOMES.filter((outcome) => outcome.call === call && names.includes(outcome.name))
}

/**
 * Puts outcomes together, the first first: one counts only when none before it says something about the same. `paid`
 * counts only as the first, and then alone.
 */
export const combine = (outcomes: readonly Outcome[]): Choice => {
  if (outcomes[0] === PAID_OUTCOME) return { behaviour: {}, names: [PAID_OUTCOME.name] }
  const behaviour: Behaviour = {}
  const names: string[] = []
  for (const { name, does } of outcomes.filter((outcome) => outcome !== PAID_OUTCOME)) {
    if (Object.keys(does).some((key) => key in behaviour)) continue
    Object.assign(behaviour, does)
    names.push(name)
  }
  return { behaviour, names }
}

/**
 * Chooses how each call goes. What the phone number chooses goes first, then the amount, then the consumer key, then
 * what is drawn for the run; a later one counts where the earlier ones say nothing.
 */
export type Choose = {
  /** `chosen` are the outcomes by phone and amount, `subject` names this push in the draws. */
  push(push: { phone: string; amountKes: number; consumerKey: string }): Choice & {
    chosen: Outcome[]
    subject: string
  }
  query(prompt: Prompt, consumerKey: string): Behaviour
  token(consumerKey: string): Behaviour
  pull(shortcode: string, consumerKey: string): Behaviour
}

/** The newest subjects whose calls are counted. */
const MAX_SUBJECTS = 50_000

/** Creates the chooser. Whatever is not plain is counted in the ledger. */
export const createChoose = (options: { plan: Plan; ledger: Ledger }): Choose => {
  const { plan, ledger } = options
  const counts = new LRUCache<string, { seen: number }>({ maxSize: MAX_SUBJECTS, sizeCalculation: asOne })

  /** The subject with how often it was seen: 1 the first time. */
  const numbered = (subject: string): string => {
    const count = counts.peek(subject) ?? { seen: 0 }
    count.seen += 1
    if (count.seen === 1) counts.set(subject, count)
    return `${subject} ${count.seen}`
  }

  const choose = (
    call: Call,
    subject: string,
    consumerKey: string,
    chosen: readonly Outcome[] = [],
  ): Choice => {
    const own = chosen.filter((outcome) => outcome.call === call)
    const choice = combine([...own, ...chosenByKey(consumerKey, call), ...plan.drawn(call, subject)])
    for (const name of choice.names) ledger.misbehaviours.set(name, (ledger.misbehaviours.get(name) ?? 0) + 1)
    return choice
  }

  return {
    push: ({ phone, amountKes, consumerKey }) => {
      const chosen = chosenBy(phone, amountKes)
      const subject = numbered(`push ${phone} ${amountKes}`)
      return { ...choose('push', subject, consumerKey, chosen), chosen, subject }
    },
    query: ({ entry, chosen, subject }, consumerKey) => {
      entry.queries += 1
      // A payment that chose a fault would else never be reported: every other query is right.
      const faults = entry.queries % 2 === 1 ? chosen : []
      return choose('query', `${subject} query ${entry.queries}`, consumerKey, faults).behaviour
    },
    token: (key) => choose('token', numbered(`token ${key}`), key).behaviour,
    pull: (shortcode, key) => choose('pull', numbered(`pull ${shortcode}`), key).behaviour,
  }
}

/** What a run is to get wrong: by name, how probably (0 to 1), and the number that decides when. */
export type RunPlan = { seed: number; misbehaviours: ReadonlyMap<string, number> }

/** The plan of a run as it is applied. */
export type Plan = {
  current: RunPlan
  /** The outcomes drawn for one call. `subject` is what the call is about and which of its kind it is. */
  drawn(call: Call, subject: string): Outcome[]
}

/**
 * Makes the draws of a run. A draw is a hash of seed, name and subject and of nothing else: not of the time, nor of the
 * order in which calls come. So the same seed under the same calls gives the same misbehaviours, however they overlap.
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
 * `GET /_plan`: the run's seed and misbehaviours. `PUT /_plan` goes on by others, under the same seed when it names
 * none. `DELETE /_plan`: nothing is drawn any more, for the quiet phase of a test.
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
