import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ConsoleParts } from './console-parts.ts'
import { messagePage } from './page/elements.ts'
import { sendPage } from './send-page.ts'

/**
 * What every answer says to the browser, and which requests are not looked at. A page may have styles, one script and
 * forms, all from here, and stands in no frame. What changes something must come from a page of ours.
 */
export const guardBrowsers = async (app: FastifyInstance, parts: ConsoleParts): Promise<void> => {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        scriptSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
    crossOriginEmbedderPolicy: false,
    // For the proxy that speaks TLS to say: it knows the other names of its host.
    strictTransportSecurity: false,
  })
  app.addHook('onRequest', async (request, reply) => {
    // Else a page that was seen before a sign-out comes back with the browser's back button.
    reply.header('cache-control', 'no-store')
    if (!isOurHost(request, parts.hosts)) {
      const sentence = 'The console is not known by this name. CONSOLE_URL says by which it is.'
      return sendPage(request, reply, messagePage({ status: 421, title: 'Another host', sentence }))
    }
    if (request.method === 'GET' || request.method === 'HEAD' || isFromOurPage(request)) return undefined
    const sentence = 'The request did not come from a page of the console, so nothing was done.'
    return sendPage(request, reply, messagePage({ status: 403, title: 'Refused', sentence }))
  })
}

/** A name of somebody's that was made to lead here would be the same origin to a browser: it is not answered. */
const isOurHost = (request: FastifyRequest, hosts: readonly string[]): boolean => {
  const name = hostnameOf(`http://${request.headers.host ?? ''}`)
  return name !== null && (hosts.includes(name) || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(name))
}

/** Browsers say where a request comes from by `Sec-Fetch-Site`; old ones, and plain http, by `Origin` alone. */
const isFromOurPage = (request: FastifyRequest): boolean => {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const { origin, host } = request.headers
  return origin !== undefined && host !== undefined && URL.parse(origin)?.host === host
}

const hostnameOf = (text: string): string | null => URL.parse(text)?.hostname ?? null
