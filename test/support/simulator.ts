import { request } from 'undici'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Simulator, startSimulator } from '../../src/simulator/server.ts'
import { quietLog } from './quiet-log.ts'

/** Starts a simulator on a free port; its payers think for `callbackDelayMs`. */
export const startTestSimulator = (
  options: { callbackDelayMs?: number; random?: () => number } = {},
): Promise<Simulator> =>
  startSimulator({
    host: '127.0.0.1',
    port: 0,
    callbackDelayMs: 50,
    log: quietLog,
    clock: systemClock,
    random: Math.random,
    ...options,
  })

/** Lets the simulator get wrong from now on what is named, with its probability; `{}` ends all of it. */
export const misbehave = async (
  simulator: Simulator,
  misbehaviours: Record<string, number>,
): Promise<void> => {
  const { statusCode, body } = await request(`${simulator.url}/_plan`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ seed: 1, misbehaviours }),
  })
  if (statusCode !== 200) throw new Error(await body.text())
  await body.dump()
}
