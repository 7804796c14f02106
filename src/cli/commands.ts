import type { Command } from 'commander'
import type { Environment } from './environment.ts'

type Load = (environment: Environment) => Promise<Command>

/** Every command by its word, in the order of the help. */
const COMMANDS: Record<string, Load> = {
  serve: async (environment) => (await import('./serve.ts')).serveCommand(environment),
  dispatch: async (environment) => (await import('./dispatch.ts')).dispatchCommand(environment),
  migrate: async (environment) => (await import('./migrate.ts')).migrateCommand(environment),
  simulator: async (environment) => (await import('./simulate.ts')).simulatorCommand(environment),
  partners: async (environment) => (await import('./partners.ts')).partnersCommand(environment),
  tokens: async (environment) => (await import('./tokens.ts')).tokensCommand(environment),
  accounts: async (environment) => (await import('./accounts.ts')).accountsCommand(environment),
  secrets: async (environment) => (await import('./secrets.ts')).secretsCommand(environment),
  payments: async (environment) => (await import('./payments.ts')).paymentsCommand(environment),
  payers: async (environment) => (await import('./payers.ts')).payersCommand(environment),
  deliveries: async (environment) => (await import('./deliveries.ts')).deliveriesCommand(environment),
  restored: async (environment) => (await import('./restored.ts')).restoredCommand(environment),
  audit: async (environment) => (await import('./audit.ts')).auditCommand(environment),
}

/**
 * The command that `word` names, alone: reading the sources of the others would take longer than most commands do. All of
 * them when it names none, for the help.
 */
export const loadCommands = (word: string | undefined, environment: Environment): Promise<Command[]> => {
  const named = word !== undefined && Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
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
