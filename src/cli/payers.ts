import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { erasePayer } from '../core/payers/erase.ts'
import { MARK_END } from '../database/mark/mark-files.ts'
import { readConfig } from '../runtime/config.ts'
import { type Msisdn, parseMsisdn } from '../values/msisdn.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, toOperator } from './options.ts'
import { CommandError, print } from './output.ts'

type EraseOptions = ByOptions & { phone: string }

/** How many open payments a message names. */
const NAMED = 10

/** `payers …`: the people who pay. */
export const payersCommand = (environment: Environment): Command => {
  const payers = new Command('payers').description('take a payer’s number out of what is kept')
  payers
    .command('erase')
    .description(
      'blank a payer’s number wherever it is kept; amounts, receipts and ids stay. There is no way back',
    )
    .requiredOption('--phone <number>', 'the payer’s number, 12 digits')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway payers erase --phone 2547XXXXXXXX')
    .action((options: EraseOptions) => erase(environment, options))
  return payers
}

const erase = async (environment: Environment, options: EraseOptions): Promise<void> => {
  const msisdn = parseMsisdn(options.phone)
  if (!msisdn.ok) throw new CommandError('--phone must be 12 digits that start with 2547 or 2541')
  const actor = toOperator(options.by)
  await requireNoneInSpool(environment, msisdn.value)
  const erasure = await useDatabase(environment, (database) =>
    erasePayer({ database, msisdn: msisdn.value, actor }),
  )
  if (erasure.kind === 'open') throw new CommandError(openMessage(erasure.payments))
  const { payments, callbacks, deliveries } = erasure.rows
  print(
    options,
    erasure.rows,
    `The number is blanked in ${payments} payments, ${callbacks} callbacks and ${deliveries} deliveries.`,
  )
}

const openMessage = (payments: readonly bigint[]): string => {
  const named = payments.slice(0, NAMED).join(', ')
  const more = payments.length > NAMED ? ` and ${payments.length - NAMED} more` : ''
  return (
    `nothing was changed: payment ${named}${more} is open, or its outcome is not delivered yet, and needs the number. ` +
    'Repeat the command when it is settled (gateway payments show ID) and its delivery ended (gateway deliveries cancel ends it)'
  )
}

/** A callback in the spool of this machine would bring the number back when it is replayed. */
const requireNoneInSpool = async (environment: Environment, msisdn: Msisdn): Promise<void> => {
  const { SPOOL_DIR: folder } = readConfig(await withRunningDatabase(environment), ['SPOOL_DIR'])
  const names = await readdir(folder).catch(toNothing<string[]>([], 'ENOENT'))
  for (const name of names) {
    // A mark holds no numbers of payers, and others that may have the same digits.
    if (name.endsWith(MARK_END)) continue
    const path = join(folder, name)
    // Replayed since, or no file at all: a disk of its own has a folder for what it once lost.
    const bytes = await readFile(path).catch(toNothing(Buffer.alloc(0), 'ENOENT', 'EISDIR'))
    if (!bytes.includes(msisdn.slice(3))) continue
    throw new CommandError(
      `nothing was changed: ${path} holds callbacks of this payer. One that ends in .aside is yours to read and delete (docs/operations.md, spool_damaged); any other is in Postgres soon: repeat the command then`,
    )
  }
}

/**
 * Takes errors of these kinds for nothing being there. Any other may hide a callback: throws a message for a person.
 */
const toNothing =
  <Nothing>(nothing: Nothing, ...codes: string[]) =>
  (error: NodeJS.ErrnoException): Nothing => {
    if (error.code !== undefined && codes.includes(error.code)) return nothing
    throw new CommandError(`nothing was changed: the spool cannot be read: ${error.message}`)
  }
