import { randomInt } from 'node:crypto'
import { Command } from 'commander'
import { systemClock } from '../runtime/clock.ts'
import { SIMULATE_SETTINGS } from '../runtime/command-settings.ts'
import { BadSettings, type Config, readConfig } from '../runtime/config.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { announceReady } from '../runtime/ready.ts'
import { untilAskedToStop, untilStopped } from '../runtime/shutdown.ts'
import { planView, type RunPlan, unknownNames } from '../simulator/choose.ts'
import { outcomesAsText } from '../simulator/outcome-tables.ts'
import { type Simulator, startSimulator } from '../simulator/server.ts'
import { type Environment, hasParent } from './environment.ts'

/** `simulator`: Daraja's stand-in. */
export const simulatorCommand = (environment: Environment): Command =>
  new Command('simulator')
    .description('run the Daraja simulator: takes pushes, plays the payer, calls back')
    .option('--json', 'print one line of JSON when it is ready')
    .addHelpText('after', `\n${outcomesAsText().join('\n')}`)
    .action((options: { json?: true }) => simulate(environment, options))

const simulate = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const stopRequested = untilAskedToStop({ withParent: hasParent(environment) })
  const config = readConfig(environment, SIMULATE_SETTINGS)
  const plan = toPlan(config.SIMULATOR_SEED, config.SIMULATOR_MISBEHAVIOURS)
  const log = createLog({ name: 'simulator', level: config.LOG_LEVEL })
  const json = options.json === true
  await untilStopped({
    stopRequested,
    log,
    run: async () => {
      const simulator = await openSimulator({ config, plan, log, json })
      log.info({ event: 'stopping', reason: await stopRequested })
      await simulator.close()
    },
  })
}

type SimulatorConfig = Config<'SIMULATOR_HOST' | 'SIMULATOR_PORT' | 'SIMULATOR_CALLBACK_DELAY_MS'>

/** Starts it, and says where it listens. */
const openSimulator = async (options: {
  config: SimulatorConfig
  plan: RunPlan
  log: Log
  json: boolean
}): Promise<Simulator> => {
  const { config, plan, log } = options
  const simulator = await startSimulator({
    host: config.SIMULATOR_HOST,
    port: config.SIMULATOR_PORT,
    callbackDelayMs: config.SIMULATOR_CALLBACK_DELAY_MS,
    log,
    clock: systemClock,
    random: Math.random,
    plan,
  })
  announceReady({
    json: options.json,
    text: `The simulator listens at ${simulator.url}. Its prompts: ${simulator.url}/_ledger${planText(plan)}`,
    fields: { process: 'simulator', simulator_url: simulator.url, ...planView(plan) },
  })
  return simulator
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
