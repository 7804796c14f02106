import { Counter, type Registry } from 'prom-client'
import type { SignInOutcome, SignIns } from './sign-ins.ts'

/** What each outcome is called in the metric. */
const NAMES = { signed_in: 'right', wrong: 'wrong', wait: 'held_off' } as const satisfies Record<
  SignInOutcome['kind'],
  string
>

/** The same, whose attempts to sign in are counted by what became of them. One that failed with an error is none. */
export const countSignIns = (signIns: SignIns, registry: Registry): SignIns => {
  const counter = new Counter({
    name: 'gateway_console_sign_ins_total',
    help: 'Attempts to sign in to the console, by outcome (right, wrong, held_off: not looked at, too many were wrong)',
    labelNames: ['outcome'] as const,
    registers: [registry],
  })
  for (const outcome of Object.values(NAMES)) counter.inc({ outcome }, 0)
  const counted = async (attempt: Promise<SignInOutcome>): Promise<SignInOutcome> => {
    const outcome = await attempt
    counter.inc({ outcome: NAMES[outcome.kind] })
    return outcome
  }
  return {
    ...signIns,
    byPassword: (given) => counted(signIns.byPassword(given)),
    byCode: (given) => counted(signIns.byCode(given)),
  }
}
