import { randomBytes } from 'node:crypto'
import type { FastifyReply } from 'fastify'

/** A page, made with the nonce by which its policy lets scripts in. */
export type RenderPage = (nonce: string) => string

/**
 * Sends a page that may run the scripts with its nonce, have styles, and ask nobody but this host. It stands in no
 * frame, and tells no other site where its readers come from.
 */
export const sendPage = (reply: FastifyReply, render: RenderPage): FastifyReply => {
  const nonce = randomBytes(16).toString('base64url')
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    // The reference writes styles of its own while it runs; there is nothing here that a style could betray.
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    .send(render(nonce))
}

/** Text as it stands in HTML, between tags and in attributes. */
export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const STYLE = `
:root { color-scheme: light dark; --bar: 44px; --line: #8884; --soft: #8881; --ink: light-dark(#1b1b1b, #e7e7e7) }
body { margin: 0 }
.bar { position: sticky; top: 0; z-index: 20; box-sizing: border-box; height: var(--bar); padding: 0 1rem;
  display: flex; gap: 1.25rem; align-items: center; overflow-x: auto; white-space: nowrap;
  background: light-dark(#fff, #0f0f0f); border-bottom: 1px solid var(--line); font: 14px/1 system-ui, sans-serif }
.bar a { color: var(--ink); text-decoration: none; padding: 0.5rem 0 }
.bar a:hover, .bar a[aria-current] { text-decoration: underline; text-underline-offset: 4px }`

/** The pages that belong together, by where they are from the gateway’s root. */
const LINKS = [
  ['docs', 'Reference'],
  ['docs/guide', 'Guide'],
  ['docs/guide#verify-the-signature', 'Verify'],
  ['api/v1/openapi.json', 'openapi.json'],
] as const

/**
 * A page with the bar that leads to the others. Links are relative, for a proxy may have put the gateway below a path:
 * `up` leads from the page to the gateway's root.
 */
export const renderPage = (options: {
  title: string
  current: string
  up: string
  style?: string
  body: string
}): string => {
  const { title, current, up, style = '', body } = options
  const links = LINKS.map(
    ([path, name]) => `<a href="${up}${path}"${path === current ? ' aria-current="page"' : ''}>${name}</a>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title><style>${STYLE}${style}</style></head><body>
<nav class="bar" aria-label="Documentation">${links.join('')}</nav>
${body}
</body></html>
`
}
