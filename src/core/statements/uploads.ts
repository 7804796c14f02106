import type { Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { MOST_STATEMENT_BYTES } from '../../values/statement-size.ts'
import { StatementError } from './statement-error.ts'
import type { RandomAccess } from './xlsx-rows.ts'

// A file is handed over in parts, each a call of its own, whichever process takes it: nothing waits in the memory of one,
// browsers can do it, and whoever was cut off goes on where the file ends.

/** Bytes of a part at most. */
export const MOST_PART_BYTES = 128 * 1024

/** What came of a part: how long the file is now, or where a part would have to begin. */
export type AddedPart = { kind: 'added'; size: number } | { kind: 'elsewhere'; size: number }

/**
 * Keeps a part of a file that begins at `at`, where the file ends so far; the same part again changes nothing.
 */
export const addPart = async (
  database: Database,
  part: { uploadId: string; at: number; content: Buffer },
): Promise<AddedPart> => {
  const { uploadId, at, content } = part
  return database.transaction().execute(async (transaction): Promise<AddedPart> => {
    const size = await sizeOf(transaction, uploadId)
    if (at > size || at + content.length > MOST_STATEMENT_BYTES) return { kind: 'elsewhere', size }
    if (at < size) return repeatedPart(transaction, part, size)
    const added = await transaction
      .insertInto('statement_uploads')
      .values({ upload_id: uploadId, at: BigInt(at), content })
      .onConflict((conflict) => conflict.columns(['upload_id', 'at']).doNothing())
      .executeTakeFirst()
    if (added.numInsertedOrUpdatedRows === 1n) return { kind: 'added', size: at + content.length }
    // The same part came at the same time in another call.
    return repeatedPart(transaction, part, await sizeOf(transaction, uploadId))
  })
}

const repeatedPart = async (
  transaction: Transaction<Schema>,
  part: { uploadId: string; at: number; content: Buffer },
  size: number,
): Promise<AddedPart> => {
  const known = await transaction
    .selectFrom('statement_uploads')
    .select('content')
    .where('upload_id', '=', part.uploadId)
    .where('at', '=', BigInt(part.at))
    .executeTakeFirst()
  const isSame = known !== undefined && known.content.equals(part.content)
  return { kind: isSame ? 'added' : 'elsewhere', size }
}

/** Takes files away that nobody imported within a day. */
export const forgetOldUploads = async (database: Database): Promise<void> => {
  await database
    .deleteFrom('statement_uploads')
    .where('uploaded_at', '<', sql<Date>`now() - interval '1 day'`)
    .execute()
}

/** Takes a file away that was handed over. */
export const forgetUpload = async (database: Database, uploadId: string): Promise<void> => {
  await database.deleteFrom('statement_uploads').where('upload_id', '=', uploadId).execute()
}

const sizeOf = async (database: Database, uploadId: string): Promise<number> => {
  const last = await database
    .selectFrom('statement_uploads')
    .select(['at', sql<number>`length(content)`.as('bytes')])
    .where('upload_id', '=', uploadId)
    .orderBy('at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last === undefined ? 0 : Number(last.at) + last.bytes
}

/** A file that was handed over, read part by part; null when there is none. */
export const openUpload = async (database: Database, uploadId: string): Promise<RandomAccess | null> => {
  const size = await sizeOf(database, uploadId)
  if (size === 0) return null
  async function* read(from: number, below: number): AsyncGenerator<Buffer> {
    for (let at = from; at < below; ) {
      const part = await database
        .selectFrom('statement_uploads')
        .select(['at', 'content'])
        .where('upload_id', '=', uploadId)
        .where('at', '<=', BigInt(at))
        .orderBy('at', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (part === undefined) throw new StatementError('the file is gone meanwhile: hand it over again')
      const begin = at - Number(part.at)
      const bytes = part.content.subarray(begin, begin + below - at)
      if (bytes.length === 0) throw new Error(`upload ${uploadId} is shorter than it was`)
      yield bytes
      at += bytes.length
    }
  }
  return { size, read }
}
