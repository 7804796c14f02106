import type { FastifyInstance } from 'fastify'

/** The methods that a path answers to, as the header `Allow` lists them; undefined for a path that answers to none. */
export type AllowedMethods = (path: string) => string | undefined

/** Learns the routes of `server` as they are registered from now on: a path can be right where its method is wrong. */
export const collectAllowedMethods = (server: FastifyInstance): AllowedMethods => {
  const routes = new Map<string, { pattern: RegExp; methods: string[] }>()
  server.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: toPattern(url), methods: [] }
    routes.set(url, { ...route, methods: [...route.methods, ...[method].flat()] })
  })
  return (path) => [...routes.values()].find(({ pattern }) => pattern.test(path))?.methods.join(', ')
}

/** Our paths hold letters, digits, `/`, `_` and `.` beside their parameters. */
const toPattern = (url: string): RegExp =>
  new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]*')}$`)
