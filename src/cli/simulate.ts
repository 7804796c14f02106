import { Command } from 'commander'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { announceReady } from '../runtime/ready.ts'
import { untilAskedToStop } from '../runtime/shutdown.ts'
import { outcomesAsText } from '../simulator/outcomes-table.ts'
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
    'LOG_LEVEL',
  ])
  const simulator = await startSimulator({
    host: config.SIMULATOR_HOST,
    port: config.SIMULATOR_PORT,
    callbackDelayMs: config.SIMULATOR_CALLBACK_DELAY_MS,
    log: createLog({ name: 'simulator', level: config.LOG_LEVEL }),
    clock: systemClock,
    random: Math.random,
  })
  announceReady({
    json: options.json === true,
    text: `The simulator listens at ${simulator.url}. Its prompts: ${simulator.url}/_ledger`,
    fields: { process: 'simulator', simulator_url: simulator.url },
  })
  await stop
  await simulator.close()
}
