import { Command } from 'commander'
import { resealSecrets } from '../core/partners/reseal.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, toOperator } from './options.ts'
import { print } from './output.ts'

/** `secrets …`: the secrets that are kept at rest. */
export const secretsCommand = (environment: Environment): Command => {
  const secrets = new Command('secrets').description(
    'seal the secrets that are kept under another SECRET_KEY',
  )
  secrets
    .command('rotate')
    .description('seal every secret under SECRET_KEY that is still under SECRET_KEY_PREVIOUS; safe to repeat')
    .addOption(byOption())
    .addHelpText('after', '\nThe whole way to another SECRET_KEY is in docs/operations.md.')
    .action(async (options: ByOptions) => {
      const actor = toOperator(options.by)
      const { resealed, current, unreadable } = await useDatabase(environment, (database, openVault) =>
        resealSecrets({ database, vault: openVault(), actor }),
      )
      if (unreadable.length > 0) process.exitCode = 1
      const left = unreadable.map((problem) => `Left as it is: ${problem}.`)
      print(options, { resealed, current, unreadable }, [
        `${resealed} secrets are sealed under SECRET_KEY now; ${current} were before.`,
        ...(left.length > 0 ? left : ['None is under SECRET_KEY_PREVIOUS any more.']),
      ])
    })
  return secrets
}
