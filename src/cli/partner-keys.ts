import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { listSigningSecrets } from '../core/partners/signing-secret.ts'
import { ApiKeySchema, PartnerService } from '../gen/mpesa/gateway/v1/partners_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { usePartners } from './call-service.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, optional, readDuration, readId } from './options.ts'
import { CommandError, print, printOnce, printRows } from './output.ts'

const { createKey, rotateKey, rotateSigningSecret } = PartnerService.method
const PARTNER = ['<partner>', 'the partner’s id', readId('partner')] as const
const KEY = ['<key>', 'the key’s id', readId('key')] as const

type CreateOptions = ByOptions & { name: string; expiresIn?: string; test?: true }
type RotateOptions = ByOptions & { overlap: string }

/** `partners keys …`: what partners prove with who they are. */
export const keysCommand = (environment: Environment): Command => {
  const keys = new Command('keys').description('create, list, rotate and revoke a partner’s API keys')
  addCreate(environment, keys)
  keys
    .command('list')
    .argument(PARTNER[0], PARTNER[1], PARTNER[2])
    .description('list a partner’s keys, oldest first; never the keys themselves')
    .action(async (partnerId: bigint, options: JsonOption) => {
      const found = await usePartners(environment, undefined, (service) => service.listKeys({ partnerId }))
      const rows = found.keys.map((key) => toRow(ApiKeySchema, key))
      const none = `Partner ${partnerId} has no keys: gateway partners keys create ${partnerId} --name NAME`
      printRows(options, rows, { none })
    })
  keys
    .command('rotate')
    .argument(KEY[0], KEY[1], KEY[2])
    .description(
      'replace a key by a new one, which is shown this once and expires when the old one would have',
    )
    .option('--overlap <time>', 'for how long the old one works too, like 48h; 0s ends it', '24h')
    .addOption(byOption())
    .action(async (keyId: bigint, options: RotateOptions) => {
      const request = { keyId, overlapSeconds: readOverlap(options) }
      const made = await usePartners(environment, options.by, (service) => service.rotateKey(request))
      const { key_id, api_key, expires_at, previous_until } = toRow(rotateKey.output, made)
      const [newId, until] = [made.keyId, textOf(made.previousUntil)]
      await printOnce(options, {
        value: { key_id, api_key, expires_at, previous_until },
        lines: [`Key ${newId}, shown this once: ${made.apiKey}`, `Key ${keyId} works until ${until}.`],
        lost: `key ${newId} is to take the place of key ${keyId}, which works until ${until}, but was not shown: get another with gateway partners keys rotate ${newId} --overlap 0s`,
      })
    })
  keys
    .command('revoke')
    .argument(KEY[0], KEY[1], KEY[2])
    .description('end a key for good')
    .addOption(byOption())
    .action(async (keyId: bigint, options: ByOptions) => {
      await usePartners(environment, options.by, (service) => service.revokeKey({ keyId }))
      const value = { key_id: keyId, revoked: true }
      print(options, value, `Key ${keyId} is revoked, everywhere within five seconds.`)
    })
  return keys
}

/** `partners keys create`: one more key, real or for rehearsals. */
const addCreate = (environment: Environment, keys: Command): Command =>
  keys
    .command('create')
    .argument(PARTNER[0], PARTNER[1], PARTNER[2])
    .description('give a partner one more key, which is shown this once')
    .requiredOption('--name <name>', 'what its owner calls it')
    .option('--expires-in <time>', 'when it expires, like 90d; it does not when not given')
    .option('--test', 'a test key: its payments are rehearsed, and prompt nobody')
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExample:\n  gateway partners keys create 17 --name "web shop" --expires-in 365d\n  gateway partners keys create 17 --name rehearsal --test',
    )
    .action(async (partnerId: bigint, options: CreateOptions) => {
      const request = {
        partnerId,
        name: options.name,
        expiresInSeconds: optional(options.expiresIn, readLife),
        test: options.test === true,
      }
      const made = await usePartners(environment, options.by, (service) => service.createKey(request))
      const { keyId, apiKey } = made
      await printOnce(options, {
        value: toRow(createKey.output, made),
        lines: [
          `${options.test ? 'Test key' : 'Key'} ${keyId} of partner ${partnerId}, shown this once: ${apiKey}`,
        ],
        lost: `key ${keyId} was created, but not shown: end it with gateway partners keys revoke ${keyId}, and create another`,
      })
    })

/** `partners signing-secret …`: what deliveries to a partner are signed with. */
export const signingSecretCommand = (environment: Environment): Command => {
  const secrets = new Command('signing-secret').description(
    'rotate and list what deliveries to a partner are signed with',
  )
  secrets
    .command('rotate')
    .argument(PARTNER[0], PARTNER[1], PARTNER[2])
    .description('give a partner a new signing secret, which is shown this once')
    .option('--overlap <time>', 'for how long the secrets before sign too, like 24h; 0s ends them', '24h')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway partners signing-secret rotate 17 --overlap 48h --json')
    .action(async (partnerId: bigint, options: RotateOptions) => {
      const request = { partnerId, overlapSeconds: readOverlap(options) }
      const made = await usePartners(environment, options.by, (service) =>
        service.rotateSigningSecret(request),
      )
      const overlap = `Those before sign too until ${textOf(made.previousUntil)}.`
      await printOnce(options, {
        value: { partner_id: partnerId, ...toRow(rotateSigningSecret.output, made) },
        lines: [
          `The signing secret of partner ${partnerId}, shown this once: ${made.signingSecret}`,
          ...(request.overlapSeconds > 0 ? [overlap] : []),
        ],
        lost: `partner ${partnerId} has a new signing secret, but it was not shown: get another with gateway partners signing-secret rotate ${partnerId}`,
      })
    })
  secrets
    .command('list')
    .argument(PARTNER[0], PARTNER[1], PARTNER[2])
    .description('list a partner’s signing secrets, the current one first; never the secrets themselves')
    .action(async (partnerId: bigint, options: JsonOption) => {
      const found = await useDatabase(environment, (database) => listSigningSecrets(database, partnerId))
      const rows = found.map((one) => ({ id: one.id, created_at: one.createdAt, expires_at: one.expiresAt }))
      const none = `Partner ${partnerId} has no signing secret: its deliveries are not signed.`
      printRows(options, rows, { none })
    })
  return secrets
}

/** For how long a key works, as seconds. */
const readLife = (text: string): number => {
  const lifeMs = readDuration('--expires-in', text)
  if (lifeMs > 0 && lifeMs <= readDuration('--expires-in', '3660d')) return lifeMs / 1000
  throw new CommandError('--expires-in must be more than nothing and ten years at most')
}

/** For how long what was replaced works too, as seconds. */
const readOverlap = ({ overlap }: RotateOptions): number => {
  const overlapMs = readDuration('--overlap', overlap)
  if (overlapMs <= readDuration('--overlap', '30d')) return overlapMs / 1000
  throw new CommandError('--overlap must be 30d at most')
}

const textOf = (instant: Timestamp | undefined): string =>
  instant === undefined ? 'now' : timestampDate(instant).toISOString()
