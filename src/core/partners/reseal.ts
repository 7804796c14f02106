import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import {
  ACCOUNT_SECRETS,
  identityOfAccountSecret,
  identityOfSigningSecret,
} from '../../database/sealed-columns.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { CannotOpen, type Vault } from '../../runtime/seal.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'

/** What was sealed again. */
export type Resealed = {
  /** Secrets that are under the present key now and were not before. */
  resealed: number
  /** Secrets that were under it already. */
  current: number
  /** What opens under neither key, in words; left as it is. */
  unreadable: string[]
}

/** A sealed secret, where it is kept, and what it is sealed for. */
type Sealed = { id: bigint; column: string; sealed: string; identity: string }

/** A table with sealed columns; `read` locks at most `limit` of its rows after an id, in the order of the ids. */
type SealedTable = {
  name: string
  read(transaction: Transaction<Schema>, page: { after: bigint; limit: number }): Promise<Sealed[]>
}

const ROWS_AT_ONCE = 100

/**
 * Seals every secret again that is not under the present key: in batches, each a transaction, in the order of the ids.
 * Safe to repeat and to break off: each batch has its own line in the audit log. Those who open secrets must have both
 * keys until it is done; a process that still seals under the previous key makes more work for the next time.
 */
export const resealSecrets = async (options: {
  database: Database
  vault: Vault
  actor: Actor
}): Promise<Resealed> => {
  const done: Resealed = { resealed: 0, current: 0, unreadable: [] }
  for (const table of SEALED_TABLES) {
    for (let after: bigint | null = 0n; after !== null; ) {
      after = await resealBatch({
        database: options.database,
        vault: options.vault,
        actor: options.actor,
        table,
        after,
        done,
      })
    }
  }
  return done
}

const resealBatch = async (options: {
  database: Database
  vault: Vault
  actor: Actor
  table: SealedTable
  after: bigint
  done: Resealed
}): Promise<bigint | null> => {
  const { vault, table, done } = options
  const batch = await options.database.transaction().execute(async (transaction) => {
    const found = await table.read(transaction, { after: options.after, limit: ROWS_AT_ONCE })
    const judged = found.map((one) => Object.assign(one, sealAgain(vault, one)))
    const fresh = judged.filter((one) => one.again !== undefined)
    for (const [column, ofColumn] of Map.groupBy(fresh, (one) => one.column)) {
      await sql`
        UPDATE ${sql.table(table.name)} SET ${sql.ref(column)} = given.sealed
        FROM ${givenRows(ofColumn, { id: ['int8', ({ id }) => id], sealed: ['text', ({ again }) => again ?? null] })}
        WHERE ${sql.ref(`${table.name}.id`)} = given.id
      `.execute(transaction)
    }
    if (fresh.length > 0) {
      await recordAudit(transaction, {
        actor: options.actor,
        action: 'resealed',
        subject: { kind: 'secret_key', id: 'current' },
        partnerId: null,
        before: null,
        after: { table: table.name, resealed: fresh.length },
      })
    }
    crashPoint('reseal.before_commit', judged.length)
    return judged
  })
  crashPoint('reseal.after_commit', batch.length)
  for (const { again, problem } of batch) {
    if (problem !== undefined) done.unreadable.push(problem)
    else if (again === undefined) done.current += 1
    else done.resealed += 1
  }
  return batch.at(-1)?.id ?? null
}

/** `again`: the same under the present key; nothing when it is under it already. `problem`: why it cannot be opened. */
const sealAgain = (vault: Vault, { sealed, identity }: Sealed): { again?: string; problem?: string } => {
  try {
    // A current one is opened too, so that one that cannot be opened is reported now.
    const secret = vault.open(sealed, identity)
    return vault.isCurrent(sealed) ? {} : { again: vault.seal(secret, identity) }
  } catch (error) {
    if (error instanceof CannotOpen) return { problem: error.message }
    throw error
  }
}

const SEALED_TABLES: readonly SealedTable[] = [
  {
    name: 'signing_secrets',
    read: async (transaction, { after, limit }) => {
      const rows = await transaction
        .selectFrom('signing_secrets')
        .select(['id', 'partner_id', 'secret_sealed'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .forUpdate()
        .execute()
      return rows.map((row) => ({
        id: row.id,
        column: 'secret_sealed',
        sealed: row.secret_sealed,
        identity: identityOfSigningSecret(row),
      }))
    },
  },
  {
    name: 'partner_accounts',
    read: async (transaction, { after, limit }) => {
      const rows = await transaction
        .selectFrom('partner_accounts')
        .select(['id', 'partner_id', 'shortcode', 'transaction_type', 'party_b', ...ACCOUNT_SECRETS])
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .forUpdate()
        .execute()
      return rows.flatMap((row) =>
        ACCOUNT_SECRETS.map((column) => ({
          id: row.id,
          column,
          sealed: row[column],
          identity: identityOfAccountSecret(row, column),
        })),
      )
    },
  },
]
