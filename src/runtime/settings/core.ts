import { z } from 'zod'
import { text } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

const isOrigin = (entry: string): boolean => {
  const url = URL.parse(entry)
  return (
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === '' &&
    url.pathname === '/'
  )
}

/** `http://core-1:9090,https://core-2:9090` → each as a URL. */
const coreUrls = z
  .string()
  .transform((value) => value.split(',').map((entry) => entry.trim()))
  .refine((entries) => entries.every(isOrigin), {
    error: 'must be URLs separated by commas, each of a host and a port only, like "https://core:9090"',
  })
  .transform((entries) => entries.map((entry) => new URL(entry)))

/** How a facade apart from its core (`serve --facade-only`) reaches it. */
export const CORE_SETTINGS = {
  CORE_URL: {
    parse: coreUrls,
    help: 'the `GRPC_PORT` of a `serve`, `https://core:9090`, http where it speaks plaintext; several separated by commas, or a name that leads to several',
  },
  CORE_TOKEN: {
    parse: text,
    help: 'a service token with the scopes `facade:call` and, for Daraja’s callbacks, `callbacks:write`: it proves the facade to the core',
    secret: true,
  },
  CORE_TLS_CA: {
    parse: text,
    default: null,
    help: 'a PEM file with who signed the certificate of an https `CORE_URL`; whoever this machine trusts when not set',
  },
  CORE_TLS_CERT: {
    parse: text,
    default: null,
    help: 'a PEM file with the certificate that is shown to a core with `GRPC_TLS_CLIENT_CA`',
  },
  CORE_TLS_KEY: { parse: text, default: null, help: 'a PEM file with its key' },
} as const satisfies Record<string, Setting<unknown>>
