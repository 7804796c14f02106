import { createCallbackTokens, renderCallbackUrl } from '../../src/core/callback/token.ts'
import type { Database } from '../../src/database/connect.ts'

/** What a callback URL is made with. */
type Parts = { database: Database; secretKey: Uint8Array; publicUrl?: string }

/** The callback URL that a payment's push carries, the whole of it; without `publicUrl` only the path and the query. */
export const callbackUrlOf = async (
  { database, secretKey, publicUrl = '' }: Parts,
  id: bigint,
): Promise<string> => {
  const row = await database
    .selectFrom('payments')
    .select('callback_nonce')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const token = createCallbackTokens({ secretKey, previousSecretKey: null }).issue(id)
  return renderCallbackUrl({ publicUrl, token, nonce: row.callback_nonce })
}

/** The same cut in two: the token, and what stands at its place in the path, the query with it. */
export const callbackTokenOf = async (parts: Parts, id: bigint): Promise<{ token: string; tail: string }> => {
  const url = new URL(await callbackUrlOf({ ...parts, publicUrl: 'http://localhost' }, id))
  const token = url.pathname.replace('/callbacks/stk/', '')
  return { token, tail: `${token}${url.search}` }
}
