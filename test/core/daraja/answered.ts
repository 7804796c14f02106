import type { Reply } from '../../../src/core/daraja/client.ts'
import { JsonObject, readJson } from '../../../src/core/daraja/read-json.ts'

/** An answer as the client would have read it. */
export const answered = (status: number, text: string): Extract<Reply, { kind: 'answered' }> => {
  const json = readJson(Buffer.from(text))
  return { kind: 'answered', status, json: json instanceof JsonObject ? json : undefined, text }
}
