import { Command, CommanderError } from 'commander'
import { DatabaseUnavailable, isOutage } from '../database/outage.ts'
import { BadSettings, secretsOf } from '../runtime/config.ts'
import { armCrashPoint } from '../runtime/crash-point.ts'
import { createRedact } from '../runtime/redact.ts'
import { toVisibleLines } from '../values/visible-text.ts'
import type { Environment } from './environment.ts'
import { CommandError } from './output.ts'

/** Standard output took nothing any more, for instance since the disk is full. */
class OutputError extends Error {
  constructor(cause: Error) {
    super(`the output could not be written: ${cause.message}`, { cause })
  }
}

/**
 * An option without a value is a variable of a shell that is not set, and means something else than no option. Throws a
 * message that names it.
 */
const refuseEmptyValues = (command: Command): void => {
  for (const option of command.options) {
    const given: unknown = command.getOptionValue(option.attributeName())
    if (given === '' || (Array.isArray(given) && given.includes(''))) {
      throw new CommandError(`${option.long} must not be empty`)
    }
  }
}

type Load = (environment: Environment) => Promise<Command>

/** Every command by its name, in the order of the help. */
const COMMANDS: Record<string, Load> = {
  serve: async (environment) => (await import('./serve.ts')).serveCommand(environment),
  dispatch: async (environment) => (await import('./dispatch.ts')).dispatchCommand(environment),
  console: async (environment) => (await import('./console.ts')).consoleCommand(environment),
  migrate: async (environment) => (await import('./migrate.ts')).migrateCommand(environment),
  simulator: async (environment) => (await import('./simulate.ts')).simulatorCommand(environment),
  partners: async (environment) => (await import('./partners.ts')).partnersCommand(environment),
  tokens: async (environment) => (await import('./tokens.ts')).tokensCommand(environment),
  accounts: async (environment) => (await import('./accounts.ts')).accountsCommand(environment),
  operators: async (environment) => (await import('./operators.ts')).operatorsCommand(environment),
  secrets: async (environment) => (await import('./secrets.ts')).secretsCommand(environment),
  payments: async (environment) => (await import('./payments.ts')).paymentsCommand(environment),
  payers: async (environment) => (await import('./payers.ts')).payersCommand(environment),
  approvals: async (environment) => (await import('./approvals.ts')).approvalsCommand(environment),
  deliveries: async (environment) => (await import('./deliveries.ts')).deliveriesCommand(environment),
  statement: async (environment) => (await import('./statement.ts')).statementCommand(environment),
  totals: async (environment) => (await import('./totals.ts')).totalsCommand(environment),
  restored: async (environment) => (await import('./restored.ts')).restoredCommand(environment),
  status: async (environment) => (await import('./status.ts')).statusCommand(environment),
  traffic: async (environment) => (await import('./traffic.ts')).trafficCommand(environment),
  audit: async (environment) => (await import('./audit.ts')).auditCommand(environment),
}

/**
 * The command that `name` names, alone: reading the sources of the others would take longer than most commands do. All
 * of them when it names none, for the help.
 */
export const loadCommands = (name: string | undefined, environment: Environment): Promise<Command[]> => {
  const named = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const loads = named === undefined ? Object.values(COMMANDS) : [named]
  return Promise.all(loads.map(async (load) => withJson(await load(environment))))
}

/** Gives every command that has none below it the option that all have, where it has no other words for it. */
const withJson = (command: Command): Command => {
  command.commands.forEach(withJson)
  const isLeaf = command.commands.length === 0
  const hasJson = command.options.some(({ long }) => long === '--json')
  return isLeaf && !hasJson ? command.option('--json', 'print one line of JSON') : command
}

/** Exit codes: 0 done, 1 failed, 2 called or set up wrongly. */
const FAILED = 1
const MISUSED = 2

const program = async (): Promise<Command> => {
  const gateway = new Command('gateway')
    .description(
      'The M-PESA gateway: takes payment requests from partners, prompts payers, notifies partners of the outcome.',
    )
    .hook('preAction', (_gateway, command) => refuseEmptyValues(command))
    .showHelpAfterError('(add --help for the options)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 called or set up wrongly. Settings: see docs/settings.md.',
    )
  for (const command of await loadCommands(process.argv[2], process.env)) gateway.addCommand(command)
  return gateway
}

/** The message of an error for a person, and the exit code. A stack is shown for a defect of ours only. */
const explain = (error: unknown): { text: string; code: number } => {
  if (error instanceof BadSettings) return { text: error.message, code: MISUSED }
  if (error instanceof CommandError) return { text: error.message, code: MISUSED }
  if (error instanceof OutputError) return { text: error.message, code: FAILED }
  if (error instanceof DatabaseUnavailable)
    return { text: `the database cannot be reached: ${error.message}`, code: FAILED }
  if (isOutage(error)) return { text: `the database cannot do it now: ${messageOf(error)}`, code: FAILED }
  const obstacle = error instanceof Error && 'code' in error ? OBSTACLES[String(error.code)] : undefined
  if (obstacle !== undefined && isOfListening(error))
    return { text: `${messageOf(error)}: ${obstacle}`, code: FAILED }
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), code: FAILED }
}

/** Why a process cannot listen where its settings say. */
const OBSTACLES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this user may not listen there; ports below 1024 are for root alone, as a rule',
  ENOTFOUND: 'there is no such name',
}

const isOfListening = (error: unknown): boolean =>
  error instanceof Error &&
  'syscall' in error &&
  ['listen', 'bind', 'getaddrinfo'].includes(String(error.syscall))

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const everyCommand = (command: Command): Command[] => [command, ...command.commands.flatMap(everyCommand)]

/** Prints an error, masked like the log; returns the exit code. */
const report = (error: unknown): number => {
  const { text, code } = explain(error)
  process.stderr.write(`${toVisibleLines(createRedact({ secrets: secretsOf(process.env) })(text))}\n`)
  return code
}

/** The reader of the output may stop reading, as `head` does: that is no failure. Anything else failed. */
const endWithoutOutput = (error: NodeJS.ErrnoException): never => {
  if (error.code !== 'EPIPE') process.exitCode = report(new OutputError(error))
  process.exit()
}

/** Runs the command that the process was called with to its end, and sets the exit code. */
export const runGateway = async (): Promise<void> => {
  // Node would print the error itself, whole.
  process.on('uncaughtException', (error) => {
    report(error)
    process.exit(FAILED)
  })
  process.stdout.on('error', endWithoutOutput)
  armCrashPoint(process.env['CRASH_AT'])
  const gateway = await program()
  for (const command of everyCommand(gateway)) command.exitOverride()
  try {
    await gateway.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : MISUSED
      return
    }
    process.exitCode = report(error)
  }
}
