import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import {
  createKey,
  listKeys,
  MAX_LIFE_MS,
  MAX_OVERLAP_MS,
  MAX_WORKING_KEYS,
  type NotMade,
  revokeKey,
  rotateKey,
} from '../core/partners/api-key.ts'
import { parsePartnerName } from '../core/partners/partner.ts'
import { useDatabase } from './database.ts'
import { readDuration } from './duration.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine, printOnce, printTable } from './output.ts'
import { readId } from './read-id.ts'

type CreateOptions = { name: string; expiresIn?: string; by?: string; json?: true }
type RotateOptions = { overlap: string; by?: string; json?: true }

/** `partners keys …`: what partners prove with who they are. */
export const keysCommand = (environment: Environment): Command => {
  const keys = new Command('keys').description('create, list, rotate and revoke a partner’s API keys')
  keys
    .command('create')
    .argument('<partner>', 'the partner’s id')
    .description('give a partner one more key, which is shown this once')
    .requiredOption('--name <name>', 'what its owner calls it')
    .option('--expires-in <time>', 'when it expires, like 90d; it does not when not given')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway partners keys create 17 --name "web shop" --expires-in 365d')
    .action((partner: string, options: CreateOptions) => create(environment, partner, options))
  keys
    .command('list')
    .argument('<partner>', 'the partner’s id')
    .description('list a partner’s keys, oldest first; never the keys themselves')
    .option('--json', 'print one line of JSON')
    .action((partner: string, options: { json?: true }) => list(environment, partner, options))
  keys
    .command('rotate')
    .argument('<key>', 'the key’s id')
    .description(
      'replace a key by a new one, which is shown this once and expires when the old one would have',
    )
    .option('--overlap <time>', 'for how long the old one works too, like 48h; 0s ends it', '24h')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .action((key: string, options: RotateOptions) => rotate(environment, key, options))
  keys
    .command('revoke')
    .argument('<key>', 'the key’s id')
    .description('end a key for good')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .action((key: string, options: { by?: string; json?: true }) => revoke(environment, key, options))
  return keys
}

const create = async (environment: Environment, partner: string, options: CreateOptions): Promise<void> => {
  const partnerId = readId('partner', partner)
  const name = parsePartnerName(options.name)
  if (!name.ok) throw new CommandError(`--name ${name.problem}`)
  const lifeMs = options.expiresIn === undefined ? null : readDuration('--expires-in', options.expiresIn)
  if (lifeMs !== null && (lifeMs === 0 || lifeMs > MAX_LIFE_MS)) {
    throw new CommandError('--expires-in must be more than nothing and ten years at most')
  }
  const actor = toOperator(options.by)
  const made = await useDatabase(environment, (database) =>
    createKey({ database, partnerId, name: name.value, lifeMs, actor, randomBytes }),
  )
  if (made.kind !== 'made') throw notMade(made, `partner ${partnerId}`)
  const { keyId, apiKey, expiresAt } = made
  const value = { key_id: keyId, api_key: apiKey, expires_at: expiresAt }
  const lines = [`Key ${keyId} of partner ${partnerId}, shown this once: ${apiKey}`]
  await printOnce(
    options.json ? { json: true, value } : { json: false, lines },
    `key ${keyId} was created, but not shown: end it with gateway partners keys revoke ${keyId}, and create another`,
  )
}

const list = async (environment: Environment, partner: string, options: { json?: true }): Promise<void> => {
  const partnerId = readId('partner', partner)
  const keys = await useDatabase(environment, (database) => listKeys(database, partnerId))
  if (keys === null) throw new CommandError(`there is no partner ${partnerId}`)
  const rows = keys.map((key) => ({
    key_id: key.keyId,
    name: key.name,
    key: `${key.displayPrefix}…`,
    created_at: key.createdAt,
    last_used_at: key.lastUsedAt,
    expires_at: key.expiresAt,
    revoked_at: key.revokedAt,
  }))
  if (options.json) return printJson(rows)
  printTable(rows, `Partner ${partnerId} has no keys: gateway partners keys create ${partnerId} --name NAME`)
}

const rotate = async (environment: Environment, key: string, options: RotateOptions): Promise<void> => {
  const keyId = readId('key', key)
  const overlapMs = readDuration('--overlap', options.overlap)
  if (overlapMs > MAX_OVERLAP_MS) throw new CommandError('--overlap must be 30d at most')
  const actor = toOperator(options.by)
  const made = await useDatabase(environment, (database) =>
    rotateKey({ database, keyId, overlapMs, actor, randomBytes }),
  )
  if (made.kind !== 'made') throw notMade(made, `key ${keyId}`)
  const { apiKey, expiresAt, previousUntil } = made
  const value = {
    key_id: made.keyId,
    api_key: apiKey,
    expires_at: expiresAt,
    previous_until: previousUntil,
  }
  const lines = [
    `Key ${made.keyId}, shown this once: ${apiKey}`,
    `Key ${keyId} works until ${previousUntil.toISOString()}.`,
  ]
  await printOnce(
    options.json ? { json: true, value } : { json: false, lines },
    `key ${made.keyId} is to take the place of key ${keyId}, which works until ${previousUntil.toISOString()}, but was not shown: get another with gateway partners keys rotate ${made.keyId} --overlap 0s`,
  )
}

const revoke = async (
  environment: Environment,
  key: string,
  options: { by?: string; json?: true },
): Promise<void> => {
  const keyId = readId('key', key)
  const actor = toOperator(options.by)
  const isDone = await useDatabase(environment, (database) => revokeKey({ database, keyId, actor }))
  if (!isDone) throw new CommandError(`there is no key ${keyId}, or it was revoked already`)
  if (options.json) return printJson({ key_id: keyId, revoked: true })
  printLine(`Key ${keyId} is revoked, everywhere within five seconds.`)
}

const notMade = ({ kind }: NotMade, what: string): CommandError => {
  switch (kind) {
    case 'no_such_partner':
    case 'no_such_key':
      return new CommandError(`there is no ${what}`)
    case 'too_many':
      return new CommandError(`${MAX_WORKING_KEYS} keys of that partner work already: revoke one first`)
    case 'key_is_over':
      return new CommandError(`${what} was revoked or has expired: create a new one instead`)
    default:
      return kind satisfies never
  }
}
