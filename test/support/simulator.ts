import { request } from 'undici'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Simulator, startSimulator } from '../../src/simulator/server.ts'
import { quietLog } from './core.ts'

/** A simulator of its own, on a free port, whose payers think for 50 ms. */
export const startTestSimulator = (): Promise<Simulator> =>
  startSimulator({
    host: '127.0.0.1',
    port: 0,
    callbackDelayMs: 50,
    log: quietLog,
    clock: systemClock,
    random: Math.random,
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
