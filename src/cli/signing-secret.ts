import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import {
  listSigningSecrets,
  MAX_OVERLAP_MS,
  MAX_SIGNING,
  rotateSigningSecret,
} from '../core/partners/signing-secret.ts'
import { openVault, useDatabase } from './database.ts'
import { readDuration } from './duration.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printOnce, printTable } from './output.ts'
import { readId } from './read-id.ts'

type RotateOptions = { overlap: string; by?: string; json?: true }

/** `partners signing-secret …`: what deliveries to a partner are signed with. */
export const signingSecretCommand = (environment: Environment): Command => {
  const signingSecret = new Command('signing-secret').description(
    'rotate and list what deliveries to a partner are signed with',
  )
  signingSecret
    .command('rotate')
    .argument('<partner>', 'the partner’s id')
    .description('give a partner a new signing secret, which is shown this once')
    .option('--overlap <time>', 'for how long the secrets before sign too, like 24h; 0s ends them', '24h')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway partners signing-secret rotate 17 --overlap 48h --json')
    .action((partner: string, options: RotateOptions) => rotate(environment, partner, options))
  signingSecret
    .command('list')
    .argument('<partner>', 'the partner’s id')
    .description('list a partner’s signing secrets, the current one first; never the secrets themselves')
    .option('--json', 'print one line of JSON')
    .action((partner: string, options: { json?: true }) => list(environment, partner, options))
  return signingSecret
}

const rotate = async (environment: Environment, partner: string, options: RotateOptions): Promise<void> => {
  const partnerId = readId('partner', partner)
  const overlapMs = readDuration('--overlap', options.overlap)
  if (overlapMs > MAX_OVERLAP_MS) throw new CommandError('--overlap must be 30d at most')
  const actor = toOperator(options.by)
  const vault = await openVault(environment)
  const rotation = await useDatabase(environment, (database) =>
    rotateSigningSecret({ database, vault, partnerId, overlapMs, actor, randomBytes }),
  )
  if (rotation.kind === 'no_such_partner') throw new CommandError(`there is no partner ${partnerId}`)
  if (rotation.kind === 'too_many') {
    throw new CommandError(
      `${MAX_SIGNING} secrets of partner ${partnerId} sign already: wait until one expires, or end them with --overlap 0s`,
    )
  }
  const { signingSecret, previousUntil } = rotation
  const value = { partner_id: partnerId, signing_secret: signingSecret, previous_until: previousUntil }
  const lines = [`The signing secret of partner ${partnerId}, shown this once: ${signingSecret}`]
  if (overlapMs > 0) lines.push(`Those before sign too until ${previousUntil.toISOString()}.`)
  await printOnce(
    options.json ? { json: true, value } : { json: false, lines },
    `partner ${partnerId} has a new signing secret, but it was not shown: get another with gateway partners signing-secret rotate ${partnerId}`,
  )
}

const list = async (environment: Environment, partner: string, options: { json?: true }): Promise<void> => {
  const partnerId = readId('partner', partner)
  const secrets = await useDatabase(environment, (database) => listSigningSecrets(database, partnerId))
  const rows = secrets.map(({ id, createdAt, expiresAt }) => ({
    id,
    created_at: createdAt,
    expires_at: expiresAt,
  }))
  if (options.json) return printJson(rows)
  printTable(rows, `Partner ${partnerId} has no signing secret: its deliveries are not signed.`)
}
