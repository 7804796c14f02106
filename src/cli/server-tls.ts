import { createSecureContext } from 'node:tls'
import type { ServerTls } from '../core/server/server-tls.ts'
import { BadSettings } from '../runtime/config.ts'
import type { ServeConfig } from '../runtime/serve-config.ts'
import { isLoopback, messageOf, readPem } from './pem.ts'

type GrpcConfig = Pick<ServeConfig['grpc'], 'host' | 'tlsCert' | 'tlsKey' | 'tlsClientCa' | 'allowPlaintext'>

/**
 * Reads what the listeners of internal services need for TLS; null: they speak plaintext, which only this machine may
 * connect to unless an operator allows it. Throws `BadSettings` for half of a setting, and for a file that cannot be
 * read or used.
 */
export const readServerTls = async (config: GrpcConfig): Promise<ServerTls | null> => {
  const { tlsCert: certFile, tlsKey: keyFile, tlsClientCa: caFile } = config
  if (certFile === null || keyFile === null) {
    if (certFile !== null || keyFile !== null) {
      throw new BadSettings('GRPC_TLS_CERT and GRPC_TLS_KEY belong together: set both or neither')
    }
    if (caFile !== null) {
      throw new BadSettings(
        'GRPC_TLS_CLIENT_CA needs GRPC_TLS_CERT and GRPC_TLS_KEY: certificates are part of TLS',
      )
    }
    requirePrivacy(config)
    return null
  }
  const tls = {
    cert: await readPem('GRPC_TLS_CERT', certFile),
    key: await readPem('GRPC_TLS_KEY', keyFile),
    clientCa: caFile === null ? null : await readPem('GRPC_TLS_CLIENT_CA', caFile),
  }
  try {
    createSecureContext({ cert: tls.cert, key: tls.key, ...(tls.clientCa && { ca: tls.clientCa }) })
  } catch (error) {
    throw new BadSettings(
      `GRPC_TLS_CERT, GRPC_TLS_KEY and GRPC_TLS_CLIENT_CA must be PEM files, the key that of the certificate: ${messageOf(error)}`,
    )
  }
  return tls
}

/** Plaintext carries keys and tokens: it stays on this machine, unless something else encrypts the way. */
const requirePrivacy = ({ host, allowPlaintext }: GrpcConfig): void => {
  if (allowPlaintext || isLoopback(host)) return
  throw new BadSettings(
    `GRPC_HOST ${host} is not this machine alone, and gRPC and Connect would speak plaintext there: set GRPC_TLS_CERT and ` +
      'GRPC_TLS_KEY, or GRPC_ALLOW_PLAINTEXT=on where something else encrypts the way',
  )
}
