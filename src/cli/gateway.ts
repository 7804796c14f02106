import { Command, CommanderError } from 'commander'
import { isOutage } from '../database/outage.ts'
import { BadSettings, secretsOf } from '../runtime/config.ts'
import { armCrashPoint } from '../runtime/crash-point.ts'
import { createRedact } from '../runtime/redact.ts'
import { accountsCommand } from './accounts.ts'
import { auditCommand } from './audit.ts'
import { deliveriesCommand } from './deliveries.ts'
import { dispatchCommand } from './dispatch.ts'
import { migrateCommand } from './migrate.ts'
import { CommandError } from './output.ts'
import { partnersCommand } from './partners.ts'
import { payersCommand } from './payers.ts'
import { paymentsCommand } from './payments.ts'
import { secretsCommand } from './secrets.ts'
import { serveCommand } from './serve.ts'
import { simulatorCommand } from './simulate.ts'
import { tokensCommand } from './tokens.ts'

/** Exit codes: 0 done, 1 failed, 2 called or set up wrongly. */
const FAILED = 1
const MISUSED = 2

const program = (): Command => {
  const environment = process.env
  return new Command('gateway')
    .description(
      'The M-PESA gateway: takes payment requests from partners, prompts payers, tells partners the outcome.',
    )
    .addCommand(serveCommand(environment))
    .addCommand(dispatchCommand(environment))
    .addCommand(migrateCommand(environment))
    .addCommand(simulatorCommand(environment))
    .addCommand(partnersCommand(environment))
    .addCommand(tokensCommand(environment))
    .addCommand(accountsCommand(environment))
    .addCommand(secretsCommand(environment))
    .addCommand(paymentsCommand(environment))
    .addCommand(payersCommand(environment))
    .addCommand(deliveriesCommand(environment))
    .addCommand(auditCommand(environment))
    .showHelpAfterError('(add --help for the options)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 called or set up wrongly. Settings: see the README.',
    )
}

/** What a person is told of an error, and the exit code. A stack is shown for a defect of ours only. */
const explain = (error: unknown): { text: string; code: number } => {
  if (error instanceof BadSettings) return { text: error.message, code: MISUSED }
  if (error instanceof CommandError) return { text: error.message, code: MISUSED }
  if (isOutage(error)) return { text: `the database cannot be reached: ${messageOf(error)}`, code: FAILED }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return { text: `${error.message}: another process listens there`, code: FAILED }
  }
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), code: FAILED }
}

const messageOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

const everyCommand = (command: Command): Command[] => [command, ...command.commands.flatMap(everyCommand)]

/** Prints an error, masked like the log; returns the exit code. */
const tell = (error: unknown): number => {
  const { text, code } = explain(error)
  process.stderr.write(`${createRedact({ secrets: secretsOf(process.env) })(text)}\n`)
  return code
}

/** Runs the command that the process was called with to its end, and sets the exit code. */
export const runGateway = async (): Promise<void> => {
  // Node would print the error itself, whole.
  process.on('uncaughtException', (error) => {
    tell(error)
    process.exit(FAILED)
  })
  // Whoever reads the output may stop reading, as `head` does: nothing is wrong then.
  process.stdout.on('error', () => process.exit())
  armCrashPoint(process.env['CRASH_AT'])
  const gateway = program()
  for (const command of everyCommand(gateway)) command.exitOverride()
  try {
    await gateway.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : MISUSED
      return
    }
    process.exitCode = tell(error)
  }
}
