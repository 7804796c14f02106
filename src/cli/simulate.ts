import { randomInt } from 'node:crypto'
import { Command } from 'commander'
import { systemClock } from '../runtime/clock.ts'
import { BadSettings, readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { announceReady } from '../runtime/ready.ts'
import { untilAskedToStop } from '../runtime/shutdown.ts'
import { planView, type RunPlan, unknownNames } from '../simulator/choose.ts'
import { outcomesAsText } from '../simulator/outcome-tables.ts'
import { startSimulator } from '../simulator/server.ts'
import { type Environment, hasParent } from './environment.ts'

/** `simulator`: Daraja's stand-in. */
export const simulatorCommand = (environment: Environment): Command =>
  new Command('simulator')
    .description('run the Daraja simulator: takes pushes, plays the payer, calls back')
    .option('--json', 'print one line of JSON when it is ready')
    .addHelpText('after', `\n${outcomesAsText().join('\n')}`)
    .action((options: { json?: true }) => simulate(environment, options))

const simulate = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const stop = untilAskedToStop({ withParent: hasParent(environment) })
  const config = readConfig(environment, [
    'SIMULATOR_HOST',
    'SIMULATOR_PORT',
    'SIMULATOR_CALLBACK_DELAY_MS',
    'SIMULATOR_SEED',
    'SIMULATOR_MISBEHAVIOURS',
    'LOG_LEVEL',
  ])
  const plan = toPlan(config.SIMULATOR_SEED, config.SIMULATOR_MISBEHAVIOURS)
  const simulator = await startSimulator({
    host: config.SIMULATOR_HOST,
    port: config.SIMULATOR_PORT,
    callbackDelayMs: config.SIMULATOR_CALLBACK_DELAY_MS,
    log: createLog({ name: 'simulator', level: config.LOG_LEVEL }),
    clock: systemClock,
    random: Math.random,
    plan,
  })
  announceReady({
    json: options.json === true,
    text: `The simulator listens at ${simulator.url}. Its prompts: ${simulator.url}/_ledger${planText(plan)}`,
    fields: { process: 'simulator', simulator_url: simulator.url, ...planView(plan) },
  })
  await stop
  await simulator.close()
}

const SEEDS = 2 ** 32

/** The run's plan; without a seed one is drawn. Throws `BadSettings` for a name that is no outcome's. */
const toPlan = (seed: number | null, misbehaviours: ReadonlyMap<string, number> | null): RunPlan => {
  const unknown = unknownNames(misbehaviours?.keys() ?? [])
  if (unknown.length > 0) {
    throw new BadSettings(
      `SIMULATOR_MISBEHAVIOURS names ${unknown.join(', ')}, which the simulator does not know: \`simulator --help\` lists all names`,
    )
  }
  return { seed: seed ?? randomInt(SEEDS), misbehaviours: misbehaviours ?? new Map() }
}

/** For the line a person reads: nothing when nothing is drawn. */
const planText = ({ seed, misbehaviours }: RunPlan): string => {
  if (misbehaviours.size === 0) return ''
  const names = [...misbehaviours].map(([name, probability]) => `${name}=${probability}`)
  return `\nIt misbehaves: ${names.join(', ')}. SIMULATOR_SEED=${seed} repeats it.`
}
