import { createSecureContext } from 'node:tls'
import type { CoreTls } from '../remote-core/connections.ts'
import { BadSettings } from '../runtime/config.ts'
import type { FacadeConfig } from '../runtime/facade-config.ts'
import { isLoopback, messageOf, readPem } from './pem.ts'

/**
 * Reads what the way to the core is encrypted with. Throws `BadSettings` for half of a setting, for a file that cannot be
 * read or used, and for plaintext beyond this machine that no operator allowed: it would carry keys and the token.
 */
export const readCoreTls = async (config: FacadeConfig['core']): Promise<CoreTls> => {
  const { urls, tlsCa, tlsCert, tlsKey } = config
  requirePrivacy(config)
  if ((tlsCert === null) !== (tlsKey === null))
    throw new BadSettings('CORE_TLS_CERT and CORE_TLS_KEY belong together: set both or neither')
  const usesTls = urls.some(({ protocol }) => protocol === 'https:')
  if (!usesTls && (tlsCa !== null || tlsCert !== null))
    throw new BadSettings(
      'CORE_TLS_CA, CORE_TLS_CERT and CORE_TLS_KEY need a CORE_URL that starts with https://',
    )
  const ca = tlsCa === null ? null : await readPem('CORE_TLS_CA', tlsCa)
  const own =
    tlsCert === null || tlsKey === null
      ? null
      : { cert: await readPem('CORE_TLS_CERT', tlsCert), key: await readPem('CORE_TLS_KEY', tlsKey) }
  try {
    createSecureContext({
      ...(ca && { ca }),
      ...(own && { cert: own.cert, key: own.key }),
    })
  } catch (error) {
    throw new BadSettings(
      `CORE_TLS_CA, CORE_TLS_CERT and CORE_TLS_KEY must be PEM files, the key that of the certificate: ${messageOf(error)}`,
    )
  }
  return { ca, own }
}

const requirePrivacy = ({ urls, allowPlaintext }: FacadeConfig['core']): void => {
  const open = urls.find(
    ({ protocol, hostname }) => protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, '')),
  )
  if (open === undefined || allowPlaintext) return
  throw new BadSettings(
    `CORE_URL ${open.origin} leads beyond this machine, and keys would go there in plaintext: use https, or set ` +
      'GRPC_ALLOW_PLAINTEXT=on where something else encrypts the way',
  )
}
