import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { FastifyInstance } from 'fastify'

/** A file that pages need, under a name that changes with what is in it: browsers keep it for good. */
type Asset = { readonly path: string; readonly type: string; readonly bytes: Buffer }

const asset = (file: URL, type: string): Asset => {
  const bytes = readFileSync(file)
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  return { path: `/assets/${digest}-${basename(file.pathname)}`, type, bytes }
}

const ICON = asset(new URL('./icon.svg', import.meta.url), 'image/svg+xml')

export const STYLE = {
  ...asset(new URL('./console.css', import.meta.url), 'text/css; charset=utf-8'),
  icon: ICON.path,
}

/** What is different on paper. */
export const PRINT_STYLE = asset(new URL('./print.css', import.meta.url), 'text/css; charset=utf-8')

export const SCRIPT = asset(new URL('./console.js', import.meta.url), 'text/javascript; charset=utf-8')

/** Serves them to whoever asks: nothing is in them that is not in every copy of the gateway. */
export const addAssets = (app: FastifyInstance): void => {
  for (const { path, type, bytes } of [ICON, STYLE, PRINT_STYLE, SCRIPT]) {
    app.get(path, { config: { needs: 'nobody' } }, (_request, reply) =>
      reply
        .header('content-type', type)
        .header('cache-control', 'public, max-age=31536000, immutable')
        .send(bytes),
    )
  }
}
