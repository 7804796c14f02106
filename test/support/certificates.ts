import { isIP } from 'node:net'
import { generate } from 'selfsigned'

/** A certificate and its key, PEM. */
export type Certificate = { cert: string; key: string }

/** An authority of a test's own, which signs what it is asked to. */
export type Authority = Certificate & { issue(given: CertificateOptions): Promise<Certificate> }

export type CertificateOptions = {
  /** The names and addresses that it is for; none: for those who call. */
  hosts: readonly string[]
  notBefore?: Date
  notAfter?: Date
}

const DAY_MS = 24 * 60 * 60 * 1000

export const createAuthority = async (): Promise<Authority> => {
  const ca = await make({
    commonName: 'Test Authority',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { ...ca, issue: (given) => issue({ ...given, ca }) }
}

/** A certificate that trusts for itself. */
export const selfSign = (given: CertificateOptions): Promise<Certificate> => issue(given)

const issue = (given: CertificateOptions & { ca?: Certificate }): Promise<Certificate> =>
  make({
    ...given,
    commonName: given.hosts[0] ?? 'client',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: given.hosts.length > 0, clientAuth: given.hosts.length === 0 },
      { name: 'subjectAltName', altNames: given.hosts.map(toAltName) },
    ],
  })

const toAltName = (host: string) =>
  isIP(host) === 0 ? ({ type: 2, value: host } as const) : ({ type: 7, ip: host } as const)

type Options = NonNullable<Parameters<typeof generate>[1]>

const make = async (options: {
  commonName: string
  extensions: NonNullable<Options['extensions']>
  notBefore?: Date
  notAfter?: Date
  ca?: Certificate
}): Promise<Certificate> => {
  const { notBefore = new Date(Date.now() - DAY_MS), notAfter = new Date(Date.now() + DAY_MS), ca } = options
  const made = await generate([{ name: 'commonName', value: options.commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: notBefore,
    notAfterDate: notAfter,
    extensions: options.extensions,
    ...(ca && { ca }),
  })
  return { cert: made.cert, key: made.private }
}
