import { Command } from 'commander'
import { resealSecrets } from '../core/partners/reseal.ts'
import { openVault, useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { printJson, printLine } from './output.ts'

type RotateOptions = { by?: string; json?: true }

/** `secrets …`: the secrets that are kept at rest. */
export const secretsCommand = (environment: Environment): Command => {
  const secrets = new Command('secrets').description(
    'seal the secrets that are kept under another SECRET_KEY',
  )
  secrets
    .command('rotate')
    .description('seal every secret under SECRET_KEY that is still under SECRET_KEY_PREVIOUS; safe to repeat')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nThe whole way to another SECRET_KEY is in docs/operations.md.')
    .action((options: RotateOptions) => rotate(environment, options))
  return secrets
}

const rotate = async (environment: Environment, options: RotateOptions): Promise<void> => {
  const actor = toOperator(options.by)
  const vault = await openVault(environment)
  const { resealed, current, unreadable } = await useDatabase(environment, (database) =>
    resealSecrets({ database, vault, actor }),
  )
  if (unreadable.length > 0) process.exitCode = 1
  if (options.json) return printJson({ resealed, current, unreadable })
  printLine(`${resealed} secrets are sealed under SECRET_KEY now; ${current} were before.`)
  for (const problem of unreadable) printLine(`Left as it is: ${problem}.`)
  if (unreadable.length === 0) printLine('None is under SECRET_KEY_PREVIOUS any more.')
}
