import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Actor } from '../core/audit/record-audit.ts'
import { createKeyCheck } from '../core/partners/authenticate.ts'
import { createPartner } from '../core/partners/partner.ts'
import { createWrongSecrets } from '../core/partners/wrong-secrets.ts'
import type { Database } from '../database/connect.ts'
import type { Vault } from '../runtime/seal.ts'
import { readSecretFile, writeSecretFile } from './secret-file.ts'

/** Who creates it. */
const NPM_START: Actor = { kind: 'operator', name: 'npm start', from: hostname() }

/**
 * The API key of a partner to try things with, the same in every run: it is kept in the folder. When the database does not
 * know that key, as another or a new one does not, a partner is created.
 */
export const demoPartnerKey = async (options: {
  database: Database
  vault: Vault
  folder: string
}): Promise<string> => {
  const { database, vault, folder } = options
  const file = join(folder, 'demo-api-key')
  const kept = await readSecretFile(file)
  if (kept) {
    const nowMs = (): number => performance.now()
    const wrongSecrets = createWrongSecrets({ perMinute: 1, nowMs })
    const check = createKeyCheck({ database, wrongSecrets, nowMs })
    if ((await check(kept, 'this machine')).kind === 'partner') return kept
  }
  const { apiKey } = await createPartner({ database, name: 'Demo', vault, actor: NPM_START, randomBytes })
  await writeSecretFile(file, apiKey)
  return apiKey
}
